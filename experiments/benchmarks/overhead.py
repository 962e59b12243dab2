"""What a sweep costs beside its own compiled programs: the small MLP of the bench, 500 updates.

Hypothesis: planning, checks, rows and curves take at most 15 % of the time of the programs alone.
Command: `python experiments/benchmarks/overhead.py` (half a minute). Result: README.md beside this.

The programs alone: every call that a sweep made (of `start`, `train`, `evaluate`, ...), again in
the same order, each with its own arrays or with what an earlier call gave, and waited for at the
end. Both are measured in turn.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any
from unittest import mock

import flax.linen as nn
import jax
import numpy as np

import lrlab
from lrlab.engine.executables import Replicated

LANES, STEPS, BATCH, TURNS = 128, 500, 64, 9


class Small(nn.Module):
    """The MLP 64-32-10."""

    @nn.compact
    def __call__(self, x):
        return nn.Dense(10)(nn.relu(nn.Dense(32)(x)))


def task() -> lrlab.Task:
    digits = lrlab.tasks.load("digits-mlp").data
    return lrlab.Task.supervised(
        name="small",
        model=Small(),
        loss="softmax_cross_entropy",
        train=digits["train"],
        valid=digits["valid"],
    )


def recorded(sweep: Callable[[], object]) -> list[tuple[Replicated, Any, Any]]:
    """The calls of a sweep: program, device, arguments; an int pair among them is the leaf of an
    earlier call's result."""
    calls: list[tuple[Replicated, Any, Any]] = []
    made: dict[int, tuple[int, int]] = {}
    held: list[Any] = []  # so that no number of an object is given again
    call = Replicated.__call__

    def noted(self: Replicated, device: Any, *args: Any) -> Any:
        leaves, tree = jax.tree.flatten(args)
        calls.append((self, device, (tree, [made.get(id(leaf), leaf) for leaf in leaves])))
        result = call(self, device, *args)
        outputs = jax.tree.leaves(result)
        made.update({id(leaf): (len(calls) - 1, place) for place, leaf in enumerate(outputs)})
        held.extend([leaves, outputs])
        return result

    with mock.patch.object(Replicated, "__call__", noted):
        sweep()
    return calls


def alone(calls: list[tuple[Replicated, Any, Any]]) -> None:
    """The programs again, without a sweep around them."""
    results: list[list[Any]] = []
    for program, device, (tree, leaves) in calls:
        given = [results[x[0]][x[1]] if isinstance(x, tuple) else x for x in leaves]
        results.append(jax.tree.leaves(program(device, *jax.tree.unflatten(tree, given))))
    jax.block_until_ready([x for leaves in results for x in leaves if not x.is_deleted()])


def timed(function: Callable[[], object]) -> float:
    began = time.perf_counter()
    function()
    return time.perf_counter() - began


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--turns", type=int, default=TURNS)
    options.add_argument("--width", type=int, help="tile width; planned where absent")
    given = options.parse_args()
    small, plan = task(), None if given.width is None else lrlab.Plan(tile_width=given.width)

    def sweep() -> object:
        return lrlab.sweep(
            small, optimizer="momentum", lr=np.geomspace(1e-4, 0.1, LANES), seeds=1, steps=STEPS,
            batch_size=BATCH, eval_every=STEPS, keep="none", plan=plan, progress=False,
        )  # fmt: skip

    sweep()
    calls = recorded(sweep)
    rows = [(timed(sweep), timed(lambda: alone(calls))) for _ in range(given.turns)]
    ratios = [whole / programs for whole, programs in rows]
    whole, programs = (statistics.median(column) for column in zip(*rows, strict=True))
    print(f"{len(calls)} calls; sweep {whole * 1e3:.0f} ms, programs {programs * 1e3:.0f} ms")
    print(f"ratio: median {statistics.median(ratios):.2f}, {min(ratios):.2f} to {max(ratios):.2f}")


if __name__ == "__main__":
    main()
