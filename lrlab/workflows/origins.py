"""Where the weights and methods of results are: in memory, or in a run folder."""

from __future__ import annotations

import functools
import os
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from lrlab import runs
from lrlab.config import Resolved, resolve
from lrlab.core.axes import labels_of
from lrlab.core.paths import resolved as absolute
from lrlab.core.paths import shown
from lrlab.core.text import JsonObject, Table
from lrlab.core.weights import Weights, some
from lrlab.engine.binding import GIVEN, beginning, frozen_of, together
from lrlab.engine.devices import precision
from lrlab.engine.host_data import on_host
from lrlab.engine.kept import Keep
from lrlab.engine.limits import LIMITS
from lrlab.engine.state import frozen_shapes, lane_shapes
from lrlab.results.loading import load_result
from lrlab.results.origin import Methods, Origin, Trees
from lrlab.results.sweep import Result
from lrlab.runs.weights import (
    frozen_of_seed,
    layout,
    read_weights,
    save_params,
    tree_of,
    write_frozen,
)
from lrlab.schedules import labels
from lrlab.training.continuation import experiment_as_written
from lrlab.training.group import TrainingGroup, training_group
from lrlab.training.session import Session
from lrlab.types import Answer, Problem, PyTree


def of_group(
    resolved: Resolved, group: TrainingGroup, weights: Callable[[], Sequence[Weights]]
) -> Origin:
    """The origin of what a group trained: trees as its task has them. Of the data it holds the
    first example, from which models are initialized."""
    problem, data, names = group.problem, _start(group), tuple(group.axes)
    return Origin(
        weights,
        lambda: _trees(problem, data, names),
        lambda: _methods(resolved, group),
        labels_of(resolved.axes),
    )


def of_session(resolved: Resolved, work: Session) -> Origin:
    """The origin of what a session trained: in its run's folder, or in memory."""
    if work.run is not None:
        path = work.run.path
        return of_group(resolved, work.group, lambda: read_weights(path))
    parts = list(work.weights or ())
    return of_group(resolved, work.group, lambda: in_memory(parts))


def of_search(resolved: Resolved, work: Session, answer: Answer) -> Origin:
    """The origin of a search's answer; in memory it holds the confirmed lanes alone."""
    origin = of_session(resolved, work)
    if work.run is not None or not work.weights or answer.lr is None:
        return origin
    try:
        lanes = origin.nearest(answer)[1]
    except ValueError:  # none finished, as whoever asks will hear
        return origin
    parts = [some(part, [number]) for part, number in lanes.values()]
    return of_group(resolved, work.group, lambda: parts)


def in_memory(parts: Sequence[Weights]) -> Sequence[Weights]:
    """What was kept without a folder.

    Raises:
        ValueError: nothing was.
    """
    if not parts:
        raise ValueError(
            'no weights were kept: ask for them with keep = "last" or keep = "best" (where nobody '
            f"says, small ones are kept, up to {LIMITS.kept_bytes >> 20} MiB in all)"
        )
    return parts


def fields_of(group: TrainingGroup, keep: Keep | None) -> JsonObject:
    """What `run.json` says of the weights that are kept: their places in a lane's trees."""
    return {} if keep is None else {"weights": weights_layout(group)}


def of_folder(folder: str | os.PathLike[str]) -> Origin:
    """The origin of a finished run, from its folder alone: trees of dicts and lists. The task is
    not loaded before a schedule or an optimizer is asked for.

    Raises:
        RunError: when asked for: nothing was kept, something is damaged, or an object that was made
            in Python is not in the folder.
    """
    path = absolute(folder)

    @functools.cache
    def methods() -> Methods:
        with runs.opened(path, write=False) as place:
            if "imported" in place.info:
                runs.refuse_untrained(path, place.info, "trained with")
            experiment, command = experiment_as_written(place), str(place.info["command"])
        resolved = resolve(experiment, command=command)
        return _methods(resolved, training_group(resolved))

    names = _table(path).get("schedule", {}).get("name")
    own = {"schedule": labels(names)} if isinstance(names, list) else {}
    return Origin(lambda: read_weights(path), lambda: _plain_trees(path), methods, own)


def load(folder: str | os.PathLike[str]) -> Result:
    """A sweep's result from its run folder.

    Raises:
        RunError: not a run folder, or a damaged one; says what is lost.
    """
    result = load_result(folder)
    return result._replace(origin=of_folder(folder))


def answer_in(folder: str | os.PathLike[str]) -> Answer:
    """The answer of a finished sweep or search, with the origin of its weights.

    Raises:
        RunError: no such run, unfinished or damaged; or a run that holds others, which are named.
    """
    path = absolute(folder)
    info = runs.read_info(path)
    runs.refuse_untrained(path, info, "asked for weights")
    if info.get("command") not in ("sweep", "find"):
        inside = [shown(place.parent) for place in runs.inner_runs(path)]
        inside += [shown(place) for place in sorted(path.glob("groups/*"))]
        more = f"; its runs are {', '.join(inside)}" if inside else ""
        raise runs.RunError(path, f"a {info.get('command')} holds no weights itself{more}")
    if not runs.finished(info):
        raise runs.RunError(path, f"is unfinished; {runs.onward(path)}")
    summary = runs.read_summary(path)
    answer = summary.answer(str(summary.metric), str(path))
    return answer._replace(origin=of_folder(path))


def export_params(folder: Path, target: Path) -> tuple[float | Mapping[str, float], list[int]]:
    """Writes the weights of an answer's confirmed lanes as an orbax checkpoint: a dict by seed (see
    `variables_of`). The task's code is not run.

    Returns:
        The rate of these lanes, and their seeds.

    Raises:
        RunError: the run has no answer, no weights, or is damaged; `target` cannot be written.
    """
    try:
        rate, trees = variables_of(answer_in(folder))
    except runs.RunError:
        raise
    except ValueError as error:
        raise runs.RunError(folder, str(error)) from None
    save_params(target, trees)
    return rate, sorted(map(int, trees))


def variables_of(answer: Answer) -> tuple[float | Mapping[str, float], JsonObject]:
    """The rate (or rates by name) of an answer's confirmed lanes; and by seed, as a string, what a
    model takes: {"params": ..., and collections}, or the state of a task with a step of its own.

    Raises:
        ValueError: see `Answer.params`.
    """
    assert isinstance(answer.origin, Origin)
    rate, variables = answer.origin.nearest(answer)[0], {}
    for seed, (params, state) in answer.origin.confirmed(answer).items():
        own = isinstance(params, tuple) and params == ()
        rest = state if isinstance(state, Mapping) else {}
        variables[str(seed)] = state if own else {"params": params, **rest}
    return rate, variables


def weights_layout(group: TrainingGroup) -> JsonObject:
    """The places of a lane's arrays in its trees, as `run.json` holds them."""
    shapes = lane_shapes(group.problem, group.data, tuple(group.axes))
    frozen = frozen_shapes(group.problem, group.data)
    parts = {"params": shapes.params, "state": shapes.model, "frozen": frozen}
    places = {
        name: [[_key(key) for key in path] for path, _ in jax.tree.leaves_with_path(tree)]
        for name, tree in parts.items()
    }
    return {**places, "own": group.problem.task.step is not None}


def store_frozen(run: runs.Run | None, group: TrainingGroup, seeds: Sequence[int]) -> None:
    """Writes the parameters that are not trained into a run that holds weights, once."""
    if run is None or group.problem.task.trains is None or "weights" not in run.info:
        return
    given = GIVEN in group.data
    data = _start(group)
    some = [seeds[0]] if given else sorted({int(seed) for seed in seeds})
    leaves = {str(seed): jax.tree.leaves(_frozen(group.problem, data, seed)) for seed in some}
    write_frozen(run.path, leaves, given)


def _key(entry: Any) -> str | int:
    """A name or a place of a path."""
    if isinstance(entry, jax.tree_util.SequenceKey):
        return entry.idx
    return jax.tree_util.keystr((entry,), simple=True)


def _methods(resolved: Resolved, group: TrainingGroup) -> Methods:
    hyper = {name: float(values[0]) for name, values in group.axes.items() if len(values) == 1}
    return Methods(group.problem, hyper, resolved.axes[0].name if resolved.axes else "lr")


def _start(group: TrainingGroup) -> dict[str, PyTree]:
    """What the beginnings of lanes follow from: the first training example, given weights."""
    first = {
        name: jax.tree.map(lambda leaf: np.array(leaf[:1]), part)
        for name, part in group.data.items()
        if name == "train"
    }
    return first | {name: part for name, part in group.data.items() if name == GIVEN}


def _trees(problem: Problem, data: Mapping[str, PyTree], names: tuple[str, ...]) -> Trees:
    """`Trees` of a group: containers as the task's own."""
    shapes = lane_shapes(problem, data, names)
    structure = jax.tree.structure((shapes.params, shapes.model))
    frozen = functools.cache(functools.partial(_frozen, problem, data))

    def trees(leaves: Sequence[np.ndarray], seed: int) -> tuple[PyTree, PyTree]:
        params, state = jax.tree.unflatten(structure, leaves[: structure.num_leaves])
        if problem.task.trains is not None:
            params = together(params, frozen(seed))
        own = problem.task.state_of
        return params, state if own is None else own(state)

    return trees


def _frozen(problem: Problem, data: Mapping[str, PyTree], seed: int) -> PyTree:
    """The parameters of a seed that are not trained, on the host."""
    with precision(problem.dtype):
        here = on_host(data, problem.dtype)
        drawn = None
        if GIVEN not in data:
            begin = jax.jit(functools.partial(beginning, problem))
            drawn = begin(here, np.uint32(seed)).frozen
        return jax.tree.map(np.asarray, frozen_of(problem, here, drawn))


def _plain_trees(folder: Path) -> Trees:
    """`Trees` of a folder: dicts and lists."""
    places = layout(folder)
    counts = [len(places["params"]), len(places["state"])]
    read = functools.cache(functools.partial(frozen_of_seed, folder))

    def trees(leaves: Sequence[np.ndarray], seed: int) -> tuple[PyTree, PyTree]:
        frozen = read(seed) if places["frozen"] else []
        params = tree_of([*places["params"], *places["frozen"]], [*leaves[: counts[0]], *frozen])
        paths = places["state"]
        if places["own"]:  # the state of a step of one's own is held by its whole paths
            paths = [_parts(path) for path in paths]
        state = tree_of(paths, leaves[counts[0] : sum(counts)])
        return (() if places["own"] else params), state

    return trees


def _parts(path: Sequence[str | int]) -> list[str | int]:
    """A path with every name cut at its slashes."""
    cut = ([one] if isinstance(one, int) else one.split("/") for one in path)
    return [part for parts in cut for part in parts]


def _table(path: Path) -> Table:
    """The configuration of a run as its file has it; empty where there is none."""
    place = path / "config.toml"
    return tomllib.loads(place.read_text(encoding="utf-8")) if place.exists() else {}
