"""What is said of a run whose learning rate, or a further axis, nothing reads."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lrlab import rng
from lrlab.engine.devices import precision
from lrlab.engine.plan import lane_shapes
from lrlab.engine.step import lane_step
from lrlab.search.naming import named
from lrlab.search.unread import remark, sentence, unread
from lrlab.search.verdict import FLAT
from lrlab.types import Answer, Problem


def unread_axes(
    hyper: Mapping[str, np.ndarray],
    seed: np.ndarray,
    history: Mapping[str, np.ndarray],
    evaluated: Mapping[str, np.ndarray],
    initial: Mapping[str, np.ndarray],
    diverged_at: np.ndarray,
) -> tuple[str, ...]:
    """`lrlab.search.unread.unread` on what n lanes recorded: `history` [T, n], `evaluated` [E, n],
    `initial` [n] and `diverged_at` int[n]."""
    dtype = history["train_loss"].dtype
    moved = np.zeros(len(seed), bool)
    for name, rows in evaluated.items():
        moved |= (np.isfinite(rows) & (rows != initial[name])).any(0)
    moved &= np.asarray(diverged_at) < 0  # lanes that all end at once look alike at any rate
    if not moved.any():
        return ()
    with np.errstate(over="ignore", under="ignore"):
        held = {name: np.asarray(values).astype(dtype) for name, values in hyper.items()}
    short = [np.asarray(diverged_at, np.float64)[None]]
    return unread(held, seed, moved, [*short, *evaluated.values(), history["train_loss"]])


def of_result(result: Any) -> tuple[str, ...]:
    """The axes of a sweep that nothing reads."""
    columns = np.meshgrid(*result.axes.values(), result.seeds.astype(np.float64), indexing="ij")
    hyper = {name: one.ravel() for name, one in zip(result.axes, columns[:-1], strict=True)}

    def flat(tables: Mapping[str, np.ndarray], names: Sequence[str]) -> dict[str, np.ndarray]:
        return {name: tables[name].reshape(len(tables[name]), -1) for name in names}

    return unread_axes(
        hyper,
        columns[-1].ravel().astype(np.int64),
        flat(result.history, ["train_loss"]),
        flat(result.history, result.evaluated),
        {name: result.initial[name].ravel() for name in result.evaluated},
        result.diverged_at.ravel(),
    )


def method_of(config_text: str) -> str | None:
    """The optimizer's registered name; None where it, or the schedule, is a function."""
    try:
        table = tomllib.loads(config_text)
    except tomllib.TOMLDecodeError:
        return None
    tables = [table.get(name) or {} for name in ("optimizer", "schedule")]
    if any(one.get("external") is True for one in tables):
        return None
    return tables[0].get("name")


def said(
    answer: Answer,
    names: Sequence[str],
    axes: Mapping[str, np.ndarray],
    labels: Mapping[str, Sequence[str]],
    method: str | None,
) -> Answer:
    """An answer that says which axes nothing reads."""
    parts = [answer.sentence]
    for name in names:
        values = np.unique(axes[name])
        if name == "lr":
            moving = values[values > 0]
            parts[0] = sentence(float(moving[0]), float(moving[-1]), method)
        else:
            words = [named(labels, name, value) for value in values[:6]]
            shown = [word if isinstance(word, str) else f"{word:g}" for word in words]
            parts.append(remark(name, shown))
    flat = "lr" in names and answer.lr is not None
    verdict = FLAT if flat else answer.verdict
    details = {**answer.details, "unread": list(names)} if names else answer.details
    return answer._replace(verdict=verdict, sentence=" ".join(parts), details=details)


def reads_rate(problem: Problem, data: Mapping[str, Any]) -> bool:
    """Whether one update depends on the learning rate at all, as its program shows: on a ramp, no
    two lanes tell."""
    from jax.interpreters import partial_eval

    def update(rate: Any, state: Any, batch: Any, key: Any) -> Any:
        step = jnp.zeros((), jnp.int32)
        new, _ = lane_step(problem, state, batch, {"lr": rate}, step, key)
        return new.params, new.optimizer

    count = problem.batch_size or problem.num_examples
    with precision(problem.dtype):
        # As the engine holds data: floats in the run's precision.
        batch = jax.tree.map(
            lambda part: jax.ShapeDtypeStruct(
                (count, *part.shape[1:]),
                jnp.dtype(problem.dtype)
                if np.issubdtype(part.dtype, np.floating)
                else jax.dtypes.canonicalize_dtype(part.dtype),
            ),
            data.get("train"),
        )
        rate = jax.ShapeDtypeStruct((), jnp.dtype(problem.dtype))
        key = jax.eval_shape(lambda: rng.key(0, "init"))
        state = lane_shapes(problem, data, ("lr",))
        program = jax.make_jaxpr(update)(rate, state, batch, key).jaxpr
    _, used = partial_eval.dce_jaxpr(program, [True] * len(program.outvars))
    return bool(used[0])
