"""muP for lrlab's own models: what their names say that shapes do not."""

from __future__ import annotations

from collections.abc import Callable

from lrlab import models
from lrlab.core.errors import FieldError, within
from lrlab.core.text import JsonObject, Table
from lrlab.scaling.parametrization import Mup, mup
from lrlab.scaling.rules import RESIDUAL
from lrlab.types import PyTree

_DEPTH = ("depth", "blocks")


def named(
    make: Callable[..., object],
    model: Table,
    base: Table,
    inputs: PyTree,
    optimizer: str,
) -> Mup:
    """A registered model in muP.

    Args:
        make: `make(**changes)`: the model's module with options changed.
        model: its description, {"name": ..., option: ...}.
        base: the options that differ at the base.
        inputs, optimizer: as in `mup`.

    Residual branches are known by the model's name; a transformer whose heads grow gets attention
    divided by the head size.

    Raises:
        FieldError: another depth at the base, and no residual branches; then no rule is known. Or
            options that the model cannot have at the base.

    >>> import numpy as np
    >>> make = lambda **changes: models.module("mlp", 2, **{"width": 256, **changes})
    >>> x = np.zeros((1, 3), np.float32)
    >>> named(make, {"name": "mlp"}, {"width": 64}, x, "adam").tensors[-1].multiplier
    0.25
    """
    name = str(model["name"])
    values = {**models.options(name), **model}
    deeper = [key for key in _DEPTH if key in base and base[key] != values.get(key)]
    residual = RESIDUAL.get(name)
    if (name == "mlp" and not values.get("residual")) or (
        name == "resnet" and values["norm"] == "none"
    ):
        residual = None
    if deeper and residual is None:
        more = "; set task.model.residual = true" if name == "mlp" else ""
        raise FieldError(
            ("base", deeper[0]),
            f"{name}: no rule is known for the depth of a net without residual branches{more}",
        )
    changes: JsonObject = {}
    if name == "transformer" and {"width", "heads"} & set(base):
        heads = base.get("heads", values["heads"])
        changes["head_base"] = max(1, base.get("width", values["width"]) // heads)
    wanted = make(**changes)
    with within("base"):
        at_base = make(**changes, **base)
    return mup(
        wanted,
        at_base,
        inputs,
        optimizer=optimizer,
        residual=residual if deeper else None,
    )
