"""muP's table: which factor each tensor's initial size, multiplier and learning rate take."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

from lrlab.optimizers.table import METHODS

FREE, SUMMED, APART, LOST = "free", "summed", "apart", "lost"
"""Roles of a tensor's axis: kept by the result; summed over against the data; neither (layers that
are stacked and scanned, rows that are looked up); not known. `flow.uses` finds them."""

Family = Literal["sgd", "adam"]
"""Whose learning rate rules an optimizer follows (`Method.mup`). "sgd": updates proportional to the
gradient; "adam": updates whose size does not follow the gradient's (moments, signs). Others
(layer-wise, matrix) have rules of their own, which are not here."""


class Residual(NamedTuple):
    """Where residual branches are, as patterns on parameter paths (`optimizers.groups.matches`).

    `blocks`: every parameter inside a branch; `ends`: those of each branch's last operation, in
    which the branch must be positively homogeneous (a dense layer, also one under a ReLU; the scale
    and bias of a norm).
    """

    blocks: str
    ends: str


RESIDUAL: dict[str, Residual] = {
    "mlp": Residual(r"^hidden_(norm_)?[1-9]", r"^hidden_[1-9]\d*/"),
    "transformer": Residual(r"^hidden_\d", r"^hidden_\d+_(mix|down)/"),
    "resnet": Residual(r"^hidden_\d+_\d+_[ab]", r"^hidden_\d+_\d+_b_norm/"),
}
"""lrlab's own models with residual branches (`mlp` with `residual = true`)."""


def family_of(optimizer: str) -> Family:
    """The family whose learning rate rules an optimizer follows.

    Raises:
        ValueError: none of the rules is known to hold for it.

    >>> family_of("momentum"), family_of("adamw"), family_of("adam")
    ('sgd', 'adam', 'adam')
    """
    family = METHODS[optimizer].mup if optimizer in METHODS else None
    if family is None:
        families = ("sgd", "adam")
        ruled = [name for f in families for name, one in METHODS.items() if one.mup == f]
        raise ValueError(
            f"muP has no learning-rate rule here for optimizer {optimizer!r}; it has them for: "
            f"{', '.join(ruled)}"
        )
    return family


KINDS = ("input", "hidden", "output", "fixed")


class Place(NamedTuple):
    """A tensor's part in the width limit: `kind` is "input" (only its outputs grow: first layers,
    embeddings, biases, norms), "hidden" (both sides grow), "output" (only its inputs grow) or
    "fixed"; `fan_in`, `fan_out` are the growth over the base, 1 where a side does not grow.
    """

    kind: str
    fan_in: float
    fan_out: float


def growing(shape: tuple[int, ...], base: tuple[int, ...]) -> tuple[int, ...]:
    """The axes in which a tensor grew from `base` to `shape`.

    Raises:
        ValueError: another number of axes.

    >>> growing((64, 512), (64, 32))
    (1,)
    """
    if len(shape) != len(base):
        raise ValueError(f"a tensor has shape {shape}, at the base {base}: another number of axes")
    return tuple(i for i, (a, b) in enumerate(zip(shape, base, strict=True)) if a != b)


def place_of(shape: tuple[int, ...], base: tuple[int, ...], roles: Sequence[str]) -> Place | None:
    """How a tensor grew from `base` to `shape`; None where the role of an axis is not known.

    Args:
        roles: what the model does with each growing axis (`flow.uses`): an axis that is summed over
            counts inputs, one that the result keeps counts outputs.

    >>> place_of((64, 512), (64, 32), ["free"]), place_of((512, 10), (32, 10), ["summed"]).kind
    (Place(kind='input', fan_in=1.0, fan_out=16.0), 'output')
    >>> place_of((512, 256), (32, 64), ["summed", "free"]), place_of((10,), (10,), []).kind
    (Place(kind='hidden', fan_in=16.0, fan_out=4.0), 'fixed')
    """
    if LOST in roles:
        return None
    sides = {SUMMED: 1.0, FREE: 1.0, APART: 1.0}
    for axis, role in zip(growing(shape, base), roles, strict=True):
        sides[role] *= shape[axis] / base[axis]
    return _place(sides[SUMMED], sides[FREE])


def _place(fan_in: float, fan_out: float) -> Place:
    kinds = {(False, False): "fixed", (False, True): "input", (True, False): "output"}
    return Place(kinds.get((fan_in != 1, fan_out != 1), "hidden"), fan_in, fan_out)


def place_given(shape: tuple[int, ...], base: tuple[int, ...], kind: str) -> Place:
    """The place of a tensor whose kind is said: "input" and "output" have one growing side, of
    "hidden" the last axis is the output.

    >>> place_given((128, 64), (32, 16), "input"), place_given((128, 64), (32, 32), "hidden")
    (Place(kind='input', fan_in=1.0, fan_out=16.0), Place(kind='hidden', fan_in=4.0, fan_out=2.0))
    """
    ratios = [shape[i] / base[i] for i in growing(shape, base)]
    whole = math.prod(ratios)
    if kind == "hidden" and len(ratios) > 1:
        return Place(kind, math.prod(ratios[:-1]), ratios[-1])
    sides = {"input": (1.0, whole), "output": (whole, 1.0), "fixed": (1.0, 1.0)}
    return Place(kind, *sides.get(kind, (whole, whole)))


class Factors(NamedTuple):
    """What a tensor takes over the base: `size` its initial standard deviation, `multiplier` what
    it is multiplied with in the forward pass, `lr` its learning rate.
    """

    size: float
    multiplier: float
    lr: float


def factors(place: Place, family: Family, readout: str = "multiplier") -> Factors:
    """MuP's factors (Yang et al. 2022, arXiv 2203.03466): table 8, or table 3 with
    `readout="init"`; both train the same function.

    | | input, biases | hidden | output (table 8) | output (table 3) |
    |---|---|---|---|---|
    | standard deviation | 1 | in^-1/2 | 1 | 1/in |
    | multiplier | 1 | 1 | 1/in | 1 |
    | learning rate, SGD | out | out/in | in | 1/in |
    | learning rate, Adam | 1 | 1/in | 1 | 1/in |

    `in`, `out`: the growth of fan-in and fan-out over the base width.

    >>> factors(Place("hidden", 16.0, 16.0), "adam")
    Factors(size=0.25, multiplier=1.0, lr=0.0625)
    """
    kind, fan_in, fan_out = place
    sgd = family == "sgd"
    if kind == "input":
        return Factors(1.0, 1.0, fan_out if sgd else 1.0)
    if kind == "hidden":
        return Factors(fan_in**-0.5, 1.0, fan_out / fan_in if sgd else 1 / fan_in)
    if kind == "output" and readout == "init":
        return Factors(1 / fan_in, 1.0, 1 / fan_in)
    if kind == "output":
        return Factors(1.0, 1 / fan_in, fan_in if sgd else 1.0)
    return Factors(1.0, 1.0, 1.0)
