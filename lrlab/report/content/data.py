"""What a report shows, as one NamedTuple: read from a run folder or made from arrays in memory."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

_MAXIMIZED = ("accuracy", "auc", "f1", "precision", "recall", "r2", "bleu", "score")


class ReportData(NamedTuple):
    """Everything a report is made of. `...` stands for the further lane axes, in order.

    `lr` f64[L], in any order; `extra` name -> values [K] of each further lane axis (the schedules'
    names, where several were trained); `seeds` int[S]. `steps` int[T]; `train_loss` and
    `learning_rate` [T, L, ..., S], nan where a lane did not get; `history` further per-step metrics
    of that shape (`train_accuracy`). `eval_steps` int[E] and `evaluated` name -> [E, L, ..., S];
    `initial` name -> [L, ..., S], the same metrics before the first update. `outcome` str[L, ...,
    S] (`lrlab.types.OUTCOMES`), `diverged_at` int[L, ..., S] (-1: never). `answer` is the content
    of `summary.json` (lr, interval, verdict, sentence, cost, metric, evidence, seconds) or None.
    `suggestions`: rule -> LR, or LRs per seed; `suggested_by` says from which curves.
    `modes`: metric -> "min" | "max", where its name does not tell. `stages`: the training calls of
    a search, in order. `test`: the `RangeTest` that a range test's run holds.
    """

    title: str
    lr: np.ndarray
    extra: Mapping[str, np.ndarray]
    seeds: np.ndarray
    steps: np.ndarray
    train_loss: np.ndarray
    learning_rate: np.ndarray
    eval_steps: np.ndarray
    evaluated: Mapping[str, np.ndarray]
    initial: Mapping[str, np.ndarray]
    outcome: np.ndarray
    diverged_at: np.ndarray
    answer: Mapping[str, Any] | None = None
    manifest: Mapping[str, Any] = {}
    config_text: str = ""
    command: str = ""
    suggestions: Mapping[str, Any] = {}
    suggested_by: str = ""
    history: Mapping[str, np.ndarray] = {}
    modes: Mapping[str, str] = {}
    stages: Sequence[Stage] = ()
    test: Any = None


class Stage(NamedTuple):
    """The lanes that a search trained in one call: `lr` f64[N], `steps` int[N] made, `outcome`
    str[N]."""

    lr: np.ndarray
    steps: np.ndarray
    outcome: np.ndarray


def build(
    *,
    title: str,
    lr: Any,
    seeds: Any,
    steps: Any,
    train_loss: Any,
    extra: Mapping[str, Any] | None = None,
    learning_rate: Any = None,
    eval_steps: Any = (),
    evaluated: Mapping[str, Any] | None = None,
    initial: Mapping[str, Any] | None = None,
    outcome: Any = None,
    diverged_at: Any = None,
    **rest: Any,
) -> ReportData:
    """A checked `ReportData`; what is missing is filled with nan, "ok" and -1.

    `rest` takes the remaining fields of `ReportData` by name.

    Raises:
        ValueError: an array's shape does not follow from lr, extra, seeds, steps and eval_steps.

    >>> data = build(title="t", lr=[0.1, 0.01], seeds=[0], steps=[0, 1],
    ...              train_loss=[[[2.0], [2.0]], [[1.0], [1.5]]])
    >>> data.outcome.tolist(), metric_of(data)
    ([['ok'], ['ok']], 'train_loss')
    """
    lr, seeds, steps, eval_steps = (np.asarray(v) for v in (lr, seeds, steps, eval_steps))
    extra = {name: np.asarray(values) for name, values in (extra or {}).items()}
    if "schedule" in extra:
        extra["schedule"] = _schedules(extra["schedule"], str(rest.get("config_text", "")))
    lanes = (len(lr), *(len(values) for values in extra.values()), len(seeds))
    outcome = np.full(lanes, "ok") if outcome is None else np.asarray(outcome).astype(str)
    arrays = {
        "train_loss": (train_loss, (len(steps), *lanes)),
        "learning_rate": (learning_rate, (len(steps), *lanes)),
        "outcome": (outcome, lanes),
        "diverged_at": (
            np.full(lanes, -1) if diverged_at is None else diverged_at,
            lanes,
        ),
    }
    checked: dict[str, Any] = {
        name: _shaped(name, value, shape) for name, (value, shape) in arrays.items()
    }
    groups = {
        "evaluated": (evaluated, (len(eval_steps), *lanes)),
        "initial": (initial, lanes),
        "history": (rest.pop("history", None), (len(steps), *lanes)),
    }
    for group, (values, shape) in groups.items():
        checked[group] = {
            name: _shaped(f"{group}[{name!r}]", value, shape)
            for name, value in (values or {}).items()
        }
    return ReportData(
        title=title,
        lr=lr.astype(np.float64),
        extra=extra,
        seeds=seeds.astype(np.int64),
        steps=steps.astype(np.int64),
        eval_steps=eval_steps.astype(np.int64),
        **checked,
        **rest,
    )


def _schedules(rows: np.ndarray, config_text: str) -> np.ndarray:
    """The schedules' names in place of their numbers, where the configuration lists them."""
    from lrlab.schedules import labels

    try:
        named = labels(tomllib.loads(config_text)["schedule"]["name"])
        return np.array([named[int(row)] for row in rows])
    except (tomllib.TOMLDecodeError, KeyError, IndexError, TypeError, ValueError):
        return rows


def _shaped(name: str, value: Any, shape: tuple[int, ...]) -> np.ndarray:
    if value is None:
        return np.full(shape, np.nan)
    array = np.asarray(value)
    if array.shape != shape:
        raise ValueError(f"report: {name} has shape {array.shape}, expected {shape}")
    return array


def metric_of(data: ReportData) -> str:
    """The metric that the report judges by: the answer's, else valid_loss, else train_loss.

    >>> metric_of(build(title="", lr=[1.0], seeds=[0], steps=[0], train_loss=[[[1.0]]],
    ...                 eval_steps=[1], evaluated={"valid_loss": [[[1.0]]]}))
    'valid_loss'
    """
    named = (data.answer or {}).get("metric")
    if named and (named in data.evaluated or named in data.history or named == "train_loss"):
        return str(named)
    for name in ("valid_loss", "test_loss", *data.evaluated):
        if name in data.evaluated:
            return name
    return "train_loss"


def mode_of(data: ReportData, metric: str) -> str:
    """ "min" or "max": from `data.modes`, the answer's details, or the metric's name."""
    short = metric.split("_", 1)[-1]
    for modes in (data.modes, (data.answer or {}).get("modes") or {}):
        for name in (metric, short):
            if modes.get(name) in ("min", "max"):
                return modes[name]
    return "max" if any(short.lower().endswith(word) for word in _MAXIMIZED) else "min"


def curve(data: ReportData, metric: str) -> tuple[np.ndarray, np.ndarray]:
    """(steps int[N], values [N, L, ..., S]) of a per-step or an evaluated metric.

    Raises:
        ValueError: there is no such metric.
    """
    if metric in data.evaluated:
        return data.eval_steps, data.evaluated[metric]
    per_step = {
        "train_loss": data.train_loss, "learning_rate": data.learning_rate, **data.history
    }  # fmt: skip
    if metric in per_step:
        return data.steps, per_step[metric]
    known = ", ".join([*per_step, *data.evaluated])
    raise ValueError(f"report: no metric {metric!r} in this run; it has {known}")


def last_finite(values: np.ndarray) -> np.ndarray:
    """The last finite entry along axis 0 of [N, ...], nan where there is none; f64[...].

    >>> last_finite(np.array([[1.0, np.nan], [2.0, np.nan], [np.nan, np.inf]])).tolist()
    [2.0, nan]
    """
    values = np.asarray(values, dtype=np.float64)
    if not len(values):
        return np.full(values.shape[1:], np.nan)
    finite = np.isfinite(values)
    last = len(values) - 1 - np.argmax(finite[::-1], axis=0)
    picked = np.take_along_axis(values, last[None], axis=0)[0]
    return np.where(finite.any(axis=0), picked, np.nan)


def steps_trained(data: ReportData) -> np.ndarray:
    """Updates each lane made, int[L, ..., S], as its rows show: train_loss rows, or evaluations.

    A diverged lane made `diverged_at` updates that kept it finite.
    """
    made = np.zeros(data.outcome.shape, dtype=np.int64)
    tables = [(data.steps + 1, data.train_loss)]
    tables += [(data.eval_steps, values) for values in data.evaluated.values()]
    for steps, values in tables:
        if len(steps):
            seen = np.isfinite(values)
            column = np.asarray(steps).reshape((-1,) + (1,) * (values.ndim - 1))
            made = np.maximum(made, np.where(seen, column, 0).max(axis=0))
    diverged = data.outcome == "diverged"
    made = np.where(diverged & (data.diverged_at >= 0), data.diverged_at, made)
    return np.where(data.outcome == "not_run", 0, made)


def full_steps(data: ReportData) -> int:
    """The length of a full run in updates."""
    ends = [int(data.steps[-1]) + 1] if len(data.steps) else []
    ends += [int(data.eval_steps[-1])] if len(data.eval_steps) else []
    named = (data.manifest.get("config") or {}).get("steps") if data.manifest else None
    return int(named) if isinstance(named, int) else max(ends, default=0)


def from_result(result: Any, *, title: str = "", **rest: Any) -> ReportData:
    """A `ReportData` from an in-memory result with the contract's attributes.

    `result` has lr, seeds, steps, eval_steps, history, outcome, diverged_at, and, where it has
    them, extra (name -> values), initial, answer. `rest` overrides any field of `ReportData`.
    """
    history = dict(result.history)
    eval_steps = np.asarray(getattr(result, "eval_steps", ()))
    steps = np.asarray(result.steps)
    per_step, evaluated = {}, {}
    for name, values in history.items():
        is_evaluated = name.startswith(("valid_", "test_")) or len(values) != len(steps)
        (evaluated if is_evaluated else per_step)[name] = np.asarray(values)
    fields: dict[str, Any] = {
        "title": title or str(getattr(result, "name", "")),
        "lr": result.lr,
        "extra": dict(list(getattr(result, "axes", {}).items())[1:]),
        "seeds": result.seeds,
        "steps": steps,
        "train_loss": per_step.pop("train_loss", None),
        "learning_rate": per_step.pop("learning_rate", None),
        "eval_steps": eval_steps,
        "evaluated": evaluated,
        "initial": dict(getattr(result, "initial", None) or {}),
        "outcome": result.outcome,
        "diverged_at": result.diverged_at,
        "history": per_step,
        "answer": answer_dict(result.best()) if hasattr(result, "best") else None,
        "modes": dict(getattr(result, "directions", None) or {}),
        "config_text": str(getattr(result, "config", "")),
    }
    return build(**(fields | rest))


def answer_dict(answer: Any) -> Mapping[str, Any] | None:
    """An `Answer` (or a mapping, or None) as the mapping that reports read."""
    if answer is None or isinstance(answer, Mapping):
        return answer
    fields = answer._asdict()
    return {**(fields.pop("details", None) or {}), **fields}


def from_dataset(
    dataset: Any,
    *,
    title: str = "",
    answer: Mapping[str, Any] | None = None,
    manifest: Mapping[str, Any] | None = None,
    config_text: str = "",
    command: str = "",
    **rest: Any,
) -> ReportData:
    """A `ReportData` from an xarray.Dataset with dims step, eval_step, lr, extras and seed."""
    names = [str(dim) for dim in dataset.sizes]
    lane_dims = _lane_dims(dataset, names)
    extra = {name: dataset[name].values for name in lane_dims[1:-1]}
    per_step, evaluated, initial, lanes = {}, {}, {}, {}
    for key, variable in dataset.data_vars.items():
        name, dims = str(key), tuple(str(dim) for dim in variable.dims)
        if "step" in dims:
            per_step[name] = variable.transpose("step", *lane_dims).values
        elif "eval_step" in dims:
            evaluated[name] = variable.transpose("eval_step", *lane_dims).values
        elif set(dims) == set(lane_dims):
            values = variable.transpose(*lane_dims).values
            if name.startswith("initial_"):
                initial[name.removeprefix("initial_")] = values
            else:
                lanes[name] = values
    return build(
        title=title,
        lr=dataset["lr"].values,
        extra=extra,
        seeds=dataset["seed"].values,
        steps=dataset["step"].values if "step" in names else (),
        train_loss=per_step.pop("train_loss", None),
        learning_rate=per_step.pop("learning_rate", None),
        eval_steps=dataset["eval_step"].values if "eval_step" in names else (),
        evaluated=evaluated,
        initial=initial,
        outcome=lanes.get("outcome"),
        diverged_at=lanes.get("diverged_at"),
        answer=answer,
        manifest=manifest or {},
        config_text=config_text,
        command=command,
        history=per_step,
        **rest,
    )


def _lane_dims(dataset: Any, names: Sequence[str]) -> list[str]:
    for variable in dataset.data_vars.values():
        dims = [str(dim) for dim in variable.dims]
        if "lr" in dims and "seed" in dims:
            middle = [d for d in dims if d not in ("step", "eval_step", "lr", "seed")]
            return ["lr", *middle, "seed"]
    raise ValueError(f"report: no array with the dimensions lr and seed; dimensions are {names}")
