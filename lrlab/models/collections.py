"""Which collections of a Linen module are state, and which only tell what it saw.

State is what a module reads again: `batch_stats`, a cache, variables of its own. What it `sow`s is
for whoever asks, and would grow from one call to the next if it were handed back; so are the zeros
of `perturb`. The names say nothing: any collection can hold either.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import flax.errors
import jax
from jax.extend.core import Jaxpr
from jax.interpreters import partial_eval

from lrlab.types import PyTree

Place = tuple[str, ...]
"""The keys that lead to a variable: collection, modules, name."""

STATISTICS = {"mean", "var"}

Apply = Callable[[PyTree, bool, list[str]], tuple[PyTree, PyTree]]
"""`(variables, mode, mutable) -> (outputs, changed collections)`; mode: True in training."""


def state_of(variables: Mapping[str, PyTree], apply: Apply) -> frozenset[Place]:
    """The variables beside `params` that a module needs, found by tracing; nothing is computed.

    A variable is left out where nothing that the module gives, in training or in evaluation,
    depends on it, and the module runs without it: so it is with what is sown, and not with
    `self.variable`, which must be there. Perturbations are left out, too.

    Args:
        variables: shapes and dtypes of all that `init` gives.
        apply: the module on some inputs.
    """
    rest = {k: v for k, v in variables.items() if k not in ("params", "perturbations")}
    result = places(rest)
    if all(place[0] == "batch_stats" and place[-1] in STATISTICS for place in result):
        return frozenset(result)  # as of BatchNorm, by far the most frequent
    variables = {"params": variables.get("params", {})}
    spare = frozenset(result) - _read(variables, result, apply)
    if spare and not _runs_without(spare, variables, result, apply):
        names = sorted({(place[0], place[-1]) for place in spare})
        groups = [frozenset(p for p in spare if (p[0], p[-1]) == name) for name in names]
        without = [group for group in groups if _runs_without(group, variables, result, apply)]
        spare = frozenset().union(*without)
    return frozenset(result) - spare


def places(tree: Mapping[str, PyTree]) -> dict[Place, PyTree]:
    """Every variable of a dict of collections by its place.

    >>> places({"losses": {"block": {"aux": (1, 2)}}})
    {('losses', 'block', 'aux'): (1, 2)}
    """
    result: dict[Place, PyTree] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            result |= {(key, *place): leaf for place, leaf in places(value).items()}
        else:
            result[(key,)] = value
    return result


def nested(found: Mapping[Place, PyTree]) -> dict[str, PyTree]:
    """The inverse of `places`.

    >>> nested({("a", "x"): 1, ("a", "y"): 2})
    {'a': {'x': 1, 'y': 2}}
    """
    tree: dict[str, PyTree] = {}
    for place, value in found.items():
        inner = tree
        for key in place[:-1]:
            inner = inner.setdefault(key, {})
        inner[place[-1]] = value
    return tree


def only(tree: Mapping[str, PyTree], kept: frozenset[Place]) -> dict[str, PyTree]:
    """`tree` with the variables at `kept` alone.

    >>> only({"a": {"x": 1, "y": 2}, "b": {"z": 3}}, frozenset({("a", "x")}))
    {'a': {'x': 1}}
    """
    return nested({place: value for place, value in places(tree).items() if place in kept})


def updated(state: Mapping[str, PyTree], changed: Mapping[str, PyTree]) -> dict[str, PyTree]:
    """`state` with its variables as they are in `changed`; what else is there is left out.

    >>> updated({"a": {"x": 1}, "b": {"z": 3}}, {"a": {"x": 2, "seen": (5,)}})
    {'a': {'x': 2}, 'b': {'z': 3}}
    """
    now = places(changed)
    return nested({place: now.get(place, value) for place, value in places(state).items()})


def _read(variables: Mapping[str, PyTree], found: dict[Place, PyTree], apply: Apply) -> set[Place]:
    """The variables that outputs depend on, at once or through other such variables."""
    order = sorted(found)
    values = [found[place] for place in order]
    owner = [place for place in order for _ in jax.tree.leaves(found[place])]

    def traced(train: bool) -> tuple[Jaxpr, list[Place | None]]:
        def run(values: list[PyTree], params: PyTree) -> tuple[PyTree, list[PyTree]]:
            rest = nested(dict(zip(order, values, strict=True)))
            outputs, changed = apply({"params": params, **rest}, train, sorted(rest))
            now = places(changed)
            return outputs, [now.get(place) for place in order]

        program, shapes = jax.make_jaxpr(run, return_shape=True)(values, variables["params"])
        gives: list[Place | None] = [None] * len(jax.tree.leaves(shapes[0]))
        for place, value in zip(order, shapes[1], strict=True):
            gives += [place] * len(jax.tree.leaves(value))
        return program.jaxpr, gives

    programs = [traced(True), traced(False)]
    needed: set[Place] = set()
    while True:
        more = set(needed)
        for program, gives in programs:
            wanted = [place is None or place in needed for place in gives]
            used = partial_eval.dce_jaxpr(program, wanted)[1][: len(owner)]
            more |= {place for place, is_used in zip(owner, used, strict=True) if is_used}
        if more == needed:
            return needed
        needed = more


def _runs_without(
    spare: frozenset[Place],
    variables: Mapping[str, PyTree],
    found: dict[Place, PyTree],
    apply: Apply,
) -> bool:
    """Whether the module takes it that variables are not there, in training and in evaluation."""
    rest = nested({place: value for place, value in found.items() if place not in spare})
    reduced = {"params": variables["params"], **rest}
    try:
        for train in (True, False):
            # A collection of which nothing is left is no longer open to changes: then a variable
            # that must be there is an error, while what is sown is dropped.
            jax.eval_shape(
                lambda reduced, train=train: apply(reduced, train, sorted(rest) * train)[0], reduced
            )
    except (flax.errors.FlaxError, KeyError, AttributeError, TypeError, ValueError):
        return False
    return True
