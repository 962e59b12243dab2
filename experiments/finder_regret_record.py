"""What `finder_regret.py` trains: the lanes of a pair in a folder, some seeds at a time."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
from finder_regret_kinds import Problem
from finder_regret_problems import OPTIMIZERS as OPTIMIZERS
from finder_regret_problems import OUTSIDE as OUTSIDE
from finder_regret_problems import PROBLEMS as PROBLEMS
from finder_regret_problems import problem_of, version_of
from finder_regret_replay import TRUTH

import lrlab
from lrlab.search import rules

RATES = 10 ** np.linspace(-6, 1.5, 61)
"""8 rates a decade: the 49 of the truth from 1e-5 to 10, and what a search may look at beyond."""

BLOCK = 8
"""Seeds that are trained and kept at a time."""

RAMP = 100
"""Updates of a ramp, from which the rules pick."""


def recorded(
    folder: Path, name: str, optimizer: str, until: float = float("inf")
) -> dict[str, np.ndarray] | None:
    """The lanes of a pair, and what each rule picks from 16 ramps; trained now where they are not
    in the folder yet. None where `until` (seconds of `time.monotonic`) came before the last block.

    `metric` [evaluations, rates, seeds] is what the problem is judged by, `direction` whether it is
    to be minimized ("min") or maximized.

    Raises:
        ValueError: the folder's record is of another version of the problem.
    """
    path = folder / f"{name}-{optimizer}.npz"
    picks = path.with_suffix(".json")
    lanes = read(path)
    if lanes is None or not picks.exists():
        if not trained(path, problem_of(name), optimizer, until):
            return None
        lanes = read(path)
    return {**lanes, "picks": json.loads(picks.read_text())}


def read(path: Path) -> dict[str, np.ndarray] | None:
    """The lanes of a file that holds all seeds; None where it is absent or some are missing.

    Records without `version` are of the time when all metrics were to be minimized.

    Raises:
        ValueError: they are of another version of the problem.
    """
    if not path.exists():
        return None
    lanes, name = dict(np.load(path)), path.stem.partition("-")[0]
    version = version_of(name)
    if str(lanes.get("version", version)) != version:
        raise ValueError(
            f"{path}: recorded from another version of the problem; delete it to train it anew"
        )
    if "wanted" not in lanes:
        seeds = (PROBLEMS | OUTSIDE)[name][2]
        lanes |= {"direction": np.array("min"), "wanted": np.array(seeds)}
    return lanes if lanes["outcome"].shape[-1] >= int(lanes["wanted"]) + TRUTH else None


def trained(path: Path, problem: Problem, optimizer: str, until: float) -> bool:
    """Trains the seeds that a record lacks, and the ramps; False where `until` came before."""
    lanes, total = dict(np.load(path)) if path.exists() else {}, problem.seeds + TRUTH
    kept = ("metric", "initial", "outcome", "diverged_at", "steps_trained")
    while (done := lanes["outcome"].shape[-1] if lanes else 0) < total:
        if time.monotonic() > until:
            return False
        result = lrlab.sweep(
            problem.task, lr=RATES, seeds=range(done, min(done + BLOCK, total)),
            progress=False, keep="none", **problem.swept(optimizer),
        )  # fmt: skip
        block = {
            "metric": result.history[problem.metric], "initial": result.initial[problem.metric],
            **{part: getattr(result, part) for part in kept[2:]},
        }  # fmt: skip
        joined = {k: np.concatenate([lanes[k], block[k]], -1) if lanes else block[k] for k in kept}
        lanes = {
            **joined, "lr": result.lr, "eval_steps": result.eval_steps,
            "direction": np.array(problem.direction), "wanted": np.array(problem.seeds),
            "version": np.array(version_of(path.stem.partition("-")[0])),
        }  # fmt: skip
        part = path.with_suffix(".part.npz")
        np.savez_compressed(part, **lanes)
        part.replace(path)  # a call that is killed leaves whole files
    picks = path.with_suffix(".json")
    if not picks.exists():
        test = lrlab.range_test(problem.task, seeds=16, num_steps=RAMP, **problem.common(optimizer))
        found = {rule: np.asarray(test.suggest(rule)).tolist() for rule in rules.NAMES}
        picks.write_text(json.dumps(found))
    return True
