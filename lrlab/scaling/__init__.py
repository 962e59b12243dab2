"""How learning rates go with size: muP and depth scaling for Flax models, and the laws of studies.

`mup(model, base, inputs)` compares a model with the same model at a base width, tensor by tensor,
and gives a model and an optimizer whose best learning rate does not move with width (Yang et al.
2022, arXiv 2203.03466) or with depth (Yang et al. 2023, arXiv 2310.02244). `coordinate_check` says
whether that worked. `law_of` and `transfer_of` read the groups of a study (`lrlab.study`).
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

_NAMES = {
    "Mup": "lrlab.scaling.parametrization",
    "Tensor": "lrlab.scaling.parametrization",
    "mup": "lrlab.scaling.parametrization",
    "Residual": "lrlab.scaling.rules",
    "RESIDUAL": "lrlab.scaling.rules",
    "family_of": "lrlab.scaling.rules",
    "CoordinateCheck": "lrlab.scaling.coordinates",
    "coordinate_check": "lrlab.scaling.coordinates",
    "named": "lrlab.scaling.registered",
    "Group": "lrlab.scaling.laws",
    "Law": "lrlab.scaling.laws",
    "law_of": "lrlab.scaling.laws",
    "transfer_of": "lrlab.scaling.laws",
}

__all__ = list(_NAMES)


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        return getattr(importlib.import_module(_NAMES[name]), name)
    raise AttributeError(f"module 'lrlab.scaling' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)


if TYPE_CHECKING:
    from lrlab.scaling.coordinates import CoordinateCheck, coordinate_check
    from lrlab.scaling.laws import Group, Law, law_of, transfer_of
    from lrlab.scaling.parametrization import Mup, Tensor, mup
    from lrlab.scaling.registered import named
    from lrlab.scaling.rules import RESIDUAL, Residual, family_of
