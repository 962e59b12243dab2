"""Parameter groups: one learning rate each, chosen by patterns on parameter paths."""

from __future__ import annotations

import fnmatch
import functools
import re
from collections.abc import Iterable, Mapping, Sequence

import jax
import optax

from lrlab.core.errors import FieldError, within
from lrlab.optimizers.states import effective_lr, evaluation_params, nodes
from lrlab.types import Hyper, Optimizer, Params, PyTree, Scalar

Multipliers = Mapping[str, Scalar] | Sequence[tuple[str, Scalar]]
"""Pattern of parameter paths (see `matches`) -> what multiplies the updates."""


def grouped(optimizer: Optimizer, groups: Mapping[str, str]) -> Optimizer:
    """`optimizer` with the learning rate `hyper["lr_<group>"]` on the parameters of each group.

    Where `hyper` has no `lr_<group>`, that group takes `hyper["lr"]`. Patterns are read by
    `matches`. Every group keeps its own optimizer state (and its own clipping norm).

    Args:
        optimizer: any `types.Optimizer`.
        groups: group -> pattern.

    Returns:
        The grouped optimizer; equal arguments give the same object. Its transformation raises
        ValueError where a parameter belongs to no group or to several, or a group holds none.

    >>> from lrlab.optimizers import engine_optimizer
    >>> two = grouped(engine_optimizer("sgd"), {"a": "first", "b": "second"})
    >>> transformation = two.make({"lr_a": 0.1, "lr_b": 0.5})
    >>> params = {"first": 1.0, "second": 1.0}
    >>> updates, _ = transformation.update(params, transformation.init(params), params)
    >>> {name: float(value) for name, value in updates.items()}
    {'first': -0.1, 'second': -0.5}
    """
    if not groups:
        raise FieldError("groups", "groups must hold at least one entry: group -> pattern of paths")
    return _grouped(optimizer, tuple(groups.items()))


@functools.lru_cache(maxsize=64)
def _grouped(optimizer: Optimizer, groups: tuple[tuple[str, str], ...]) -> Optimizer:
    patterns = dict(groups)

    def make(hyper: Hyper) -> optax.GradientTransformationExtraArgs:
        rest = {key: value for key, value in hyper.items() if key[3:] not in patterns}
        transformations = {}
        for group in patterns:
            rate = hyper.get(f"lr_{group}", hyper.get("lr"))
            if rate is None:
                raise FieldError(
                    ("groups", group),
                    f"group {group!r} has no learning rate: give lr_{group} or lr",
                )
            transformations[group] = optimizer.make({**rest, "lr": rate})
        return optax.partition(transformations, functools.partial(labels, patterns=patterns))

    return Optimizer(make, evaluation_params, effective_lr)


def labels(params: Params, patterns: dict[str, str]) -> PyTree:
    """The group of every parameter, as a pytree like `params`.

    Raises:
        ValueError: a parameter that no pattern or several match, a pattern without any; the
            message names the paths.

    >>> labels({"hidden_0": 1.0, "readout": 2.0}, {"h": "hidden*", "r": "readout"})
    {'hidden_0': 'h', 'readout': 'r'}
    """
    every = paths(params)
    members = {
        group: _matched(("groups", group), pattern, every) for group, pattern in patterns.items()
    }
    owners = [[group for group, member in members.items() if path in member] for path in every]
    owned = list(zip(every, owners, strict=True))
    problems = [f"{path} is in no group" for path, own in owned if not own]
    problems += [f"{path} is in {' and '.join(own)}" for path, own in owned if len(own) > 1]
    problems += [
        f"group {group!r} ({patterns[group]!r}) holds no parameter"
        for group, member in members.items()
        if not member
    ]
    if problems:
        raise FieldError(
            "groups",
            f"parameter groups: {'; '.join(problems)}. Every parameter must match exactly one "
            f"pattern; the paths are {', '.join(every)}",
        )
    return jax.tree.unflatten(jax.tree.structure(params), [own[0] for own in owners])


def multiplied(multipliers: Multipliers) -> optax.GradientTransformation:
    """Multiplies the updates of the parameters that each pattern matches: a learning rate of their
    own, as a multiple of everyone's.

    w <- w + m u, with u the whole update (weight decay that is decoupled included). A factor that
    is the number 1 leaves the program as it is.

    Args:
        multipliers: pattern (see `matches`) -> factor m, a float or a traced scalar.

    Raises:
        ValueError: from its `init`, where a pattern matches nothing, or two match one parameter.

    >>> params = {"body": 1.0, "head": 1.0}
    >>> tenth = multiplied({"head": 0.1})
    >>> tenth.update(params, tenth.init(params))[0]
    {'body': 1.0, 'head': 0.1}
    """
    factors = dict(multipliers)

    def of(tree: Params) -> list[Scalar | None]:
        own = patterns_of(paths(tree), tuple(factors), anywhere=masked(tree))
        return [None if pattern is None else factors[pattern] for pattern in own]

    def masked(tree: Params) -> bool:
        """Whether other groups' parameters are hidden: then their patterns match nothing here."""
        leaves = jax.tree.leaves(tree, is_leaf=lambda leaf: isinstance(leaf, optax.MaskedNode))
        return any(isinstance(leaf, optax.MaskedNode) for leaf in leaves)

    def init(params: Params) -> optax.EmptyState:
        of(params)
        return optax.EmptyState()

    def update(
        updates: Params, state: PyTree, params: Params | None = None
    ) -> tuple[Params, PyTree]:
        leaves, tree = jax.tree.flatten(updates)
        same = [m is None or (isinstance(m, (int, float)) and m == 1) for m in of(updates)]
        scaled = [u if one else m * u for u, m, one in zip(leaves, of(updates), same, strict=True)]
        return jax.tree.unflatten(tree, scaled), state

    return optax.GradientTransformation(init, update)


def patterns_of(
    paths: Sequence[str], patterns: Sequence[str], anywhere: bool = False
) -> list[str | None]:
    """The pattern that matches each path, None where none does.

    Args:
        anywhere: a pattern may match none of these paths.

    Raises:
        ValueError: a pattern that matches nothing, or two that match one path; names the paths.

    >>> patterns_of(["hidden/bias", "readout/bias"], ["readout"])
    [None, 'readout']
    """
    members = {p: _matched(("multipliers", p), p, list(paths)) for p in patterns}
    for pattern, matched in members.items():
        if not matched and not anywhere:
            raise FieldError(
                ("multipliers", pattern),
                f"multipliers: {pattern!r} matches no parameter; the paths are {', '.join(paths)}",
            )
    chosen: list[str | None] = []
    for path in paths:
        own = [pattern for pattern, matched in members.items() if path in matched]
        if len(own) > 1:
            raise FieldError(
                ("multipliers", own[0]),
                f"multipliers: {path} matches {' and '.join(map(repr, own))}",
            )
        chosen.append(own[0] if own else None)
    return chosen


def with_multipliers(optimizer: Optimizer, multipliers: Mapping[str, Scalar | str]) -> Optimizer:
    """`optimizer`, whose updates are multiplied; see `multiplied`.

    Args:
        multipliers: pattern -> factor; a word stands for that entry of `hyper` (a lane axis).

    Returns:
        The optimizer; equal arguments give the same object. Its transformation raises ValueError
        for one that evaluates at an average of its own iterates, which would miss the factors.

    >>> from lrlab.optimizers import engine_optimizer
    >>> sgd = with_multipliers(engine_optimizer("sgd"), {"head": "factor"})
    >>> made = sgd.make({"lr": 0.5, "factor": 0.1})
    >>> params = {"body": 1.0, "head": 1.0}
    >>> updates, _ = made.update(params, made.init(params), params)
    >>> {name: round(float(value), 3) for name, value in updates.items()}
    {'body': -0.5, 'head': -0.05}
    """
    return _with_multipliers(optimizer, tuple(multipliers.items()))


@functools.lru_cache(maxsize=64)
def _with_multipliers(
    optimizer: Optimizer, multipliers: tuple[tuple[str, Scalar | str], ...]
) -> Optimizer:
    def make(hyper: Hyper) -> optax.GradientTransformationExtraArgs:
        scaling = multiplied(resolved(multipliers, hyper))
        return optax.chain(without_average(optimizer.make(hyper)), scaling)

    return Optimizer(make, optimizer.evaluation_params, optimizer.effective_lr)


def without_average(
    transformation: optax.GradientTransformation,
) -> optax.GradientTransformationExtraArgs:
    """`transformation`, whose `init` raises ValueError where it keeps an average of its iterates to
    be evaluated: what multiplies its updates afterwards would be missing there.
    """
    inner = optax.with_extra_args_support(transformation)

    def init(params: Params) -> PyTree:
        state = inner.init(params)
        if nodes(state, "evaluation"):
            raise FieldError(
                "multipliers",
                "multipliers: the optimizer evaluates at an average of its own iterates, which "
                "would miss them. Use groups, or switch its own average off (dog: average = false) "
                "and ask for ema or average_from",
            )
        return state

    return optax.GradientTransformationExtraArgs(init, inner.update)


def resolved(multipliers: Iterable[tuple[str, Scalar | str]], hyper: Hyper) -> dict[str, Scalar]:
    """Pattern -> factor, words replaced by those entries of `hyper`."""
    return {key: hyper[value] if isinstance(value, str) else value for key, value in multipliers}


def check_multipliers(patterns: Iterable[str], params: Params) -> None:
    """Raises ValueError for a pattern that matches no parameter, or two that match the same."""
    patterns_of(paths(params), tuple(patterns))


def paths(tree: PyTree) -> list[str]:
    """The path of every leaf, parts between slashes.

    >>> paths({"hidden": {"bias": 0.0, "kernel": 1.0}})
    ['hidden/bias', 'hidden/kernel']
    """
    flat, _ = jax.tree_util.tree_flatten_with_path(tree)
    return [jax.tree_util.keystr(path, simple=True, separator="/") for path, _ in flat]


def _matched(place: tuple[str, str], pattern: str, paths: list[str]) -> set[str]:
    with within(*place):
        return matches(pattern, paths)


def matches(pattern: str, paths: list[str]) -> set[str]:
    """The paths that a pattern stands for.

    A pattern with `.*` or any of `^ $ + ( ) | [ ] { }` or a backslash is a regular expression, to
    be found in the path. Any other is a glob for the whole path or for one of its parts between
    slashes; a word that is no part of any path stands for the paths that contain it.

    >>> sorted(matches("hidden_[12]", ["hidden_1/bias", "hidden_2/bias", "out/bias"]))
    ['hidden_1/bias', 'hidden_2/bias']
    >>> matches("*/kernel", ["a/kernel", "a/bias"]), matches("hid", ["hidden/bias", "out"])
    ({'a/kernel'}, {'hidden/bias'})
    """
    if re.search(r"[\^$+()|\[\]{}\\]|\.\*", pattern):
        try:
            expression = re.compile(pattern)
        except re.error as error:
            raise ValueError(f"pattern {pattern!r} is no regular expression: {error}") from None
        return {path for path in paths if expression.search(path)}
    matched = {
        path
        for path in paths
        if any(fnmatch.fnmatchcase(part, pattern) for part in (path, *path.split("/")))
    }
    if not matched and not re.search(r"[*?]", pattern):
        matched = {path for path in paths if pattern in path}
    return matched
