"""Which part each parameter has in the width limit: growing axes and what the program does with
them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import jax
from jax.tree_util import PyTreeDef

from lrlab.optimizers.groups import matches, paths
from lrlab.scaling.flow import uses
from lrlab.scaling.rules import KINDS, Place, growing, place_given, place_of
from lrlab.tasks.functions import joined, separated
from lrlab.types import Array, Model, PyTree

Shapes = dict[str, tuple[int, ...]]
"""Path -> shape."""

Inputs = tuple[tuple[tuple[tuple[int, ...], str], ...], PyTreeDef]
"""The shape and dtype of each array of a batch of one, and how they are put together; hashable."""


def places(
    model: Model, inputs: Inputs, base_shapes: Shapes, kinds: Sequence[tuple[str, str]] = ()
) -> dict[str, set[Place | None]]:
    """Path -> the places of a parameter in all of its uses; None among them: not known.

    Args:
        inputs: of one example.
        base_shapes: path -> shape of the base model's parameters.
        kinds: (pattern, kind): said, in place of what is read from the program.
    """
    described, structure = inputs
    x = jax.tree.unflatten(structure, [jax.ShapeDtypeStruct(*each) for each in described])
    key = jax.random.key(0)
    params, state = separated(jax.eval_shape(model.init, key, x))
    shapes = dict(zip(paths(params), (a.shape for a in jax.tree.leaves(params)), strict=True))
    bases = {path: base_shapes[counterpart(path, s, base_shapes)] for path, s in shapes.items()}
    said = _said(kinds, list(shapes))

    def outputs(params: PyTree, rest: tuple[PyTree, Array], x: PyTree) -> Array:
        return model.apply(joined(params, rest[0]), x, True, rest[1])[0]

    grown = [growing(shape, bases[path]) for path, shape in shapes.items()]
    roles_of = uses(outputs, params, (state, key), x, grown)
    read: dict[str, set[Place | None]] = {}
    for (path, shape), roles in zip(shapes.items(), roles_of, strict=True):
        if path in said:
            read[path] = {place_given(shape, bases[path], said[path])}
        elif not roles:  # nothing that is trained on: it stays what it is
            read[path] = {Place("fixed", 1.0, 1.0)}
        else:
            read[path] = {place_of(shape, bases[path], own) for own in roles}
    return read


def agreed(path: str, shape: tuple[int, ...], candidates: set[Place | None]) -> Place:
    """The one place of a parameter.

    Raises:
        ValueError: several, or none that is known; the message says what to do.
    """
    certain = sorted(place for place in candidates if place is not None)
    if len(certain) == 1 and len(candidates) == 1:
        return certain[0]
    choices = ", ".join(f'"{kind}"' for kind in KINDS)
    if len(certain) < 2:
        raise ValueError(
            f"parameter {path} {shape}: the program of the model does not say whether its growing "
            f"axes count inputs or outputs; say it with kinds={{{path!r}: ...}}, one of {choices}"
        )
    ways = " and as ".join(dict.fromkeys(place.kind for place in certain))
    message = (
        f"parameter {path} {shape} is shared: used as {ways}, with different growth, for which "
        "muP has different multipliers, and one tensor has one"
    )
    ratio = max(place.fan_in for place in certain)
    if {place.kind for place in certain} == {"input", "output"}:
        raise ValueError(
            f"{message}. Divide in the model what its use as output gives (the logits of a tied "
            f"embedding) by the growth of the width over the base, here {ratio:g}, and say "
            f'kinds={{{path!r}: "input"}}; or give the output a parameter of its own'
        )
    raise ValueError(
        f"{message}. Give each use a parameter of its own, or say kinds={{{path!r}: ...}}, one of "
        f"{choices}"
    )


def _said(kinds: Sequence[tuple[str, str]], every: list[str]) -> dict[str, str]:
    said: dict[str, str] = {}
    for pattern, kind in kinds:
        if kind not in KINDS:
            raise ValueError(
                f"kinds: {pattern!r} is {kind!r}; it must be one of {', '.join(KINDS)}"
            )
        own = matches(pattern, every)
        if not own:
            raise ValueError(
                f"kinds: {pattern!r} matches no parameter; the paths are {', '.join(every)}"
            )
        said |= dict.fromkeys(own, kind)
    return said


def counterpart(path: str, shape: tuple[int, ...], base: dict[str, tuple[int, ...]]) -> str:
    """The base's parameter that a parameter is compared with: of the same path, or, where the base
    has fewer layers, of the last path that differs in its numbers alone.

    >>> counterpart("layer_7/kernel", (8, 8), {"layer_0/kernel": (3, 4), "layer_1/kernel": (4, 4)})
    'layer_1/kernel'
    """
    if path in base:
        return path
    pattern = re.sub(r"\d+", "#", path)
    alike = [
        other
        for other, old in base.items()
        if re.sub(r"\d+", "#", other) == pattern and len(old) == len(shape)
    ]
    if not alike:
        raise ValueError(
            f"parameter {path} {shape} has no counterpart in the base model, which has "
            f"{', '.join(base)}; the two must differ in width or depth alone"
        )
    return alike[-1]
