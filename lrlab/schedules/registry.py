"""The schedules by name, what each takes, and what every one takes besides."""

from __future__ import annotations

from lrlab.core import registry
from lrlab.core.registry import Registry
from lrlab.core.synonyms import SCHEDULE, SCHEDULE_NAME
from lrlab.core.text import JsonObject

NAMES: dict[str, str] = {
    "constant": "lrlab.schedules.decay:constant",
    "linear": "lrlab.schedules.decay:linear",
    "polynomial": "lrlab.schedules.decay:polynomial",
    "cosine": "lrlab.schedules.decay:cosine",
    "k_decay": "lrlab.schedules.decay:k_decay",
    "exponential": "lrlab.schedules.decay:exponential",
    "natural_exponential": "lrlab.schedules.decay:natural_exponential",
    "inverse_time": "lrlab.schedules.decay:inverse_time",
    "inverse_sqrt": "lrlab.schedules.decay:inverse_sqrt",
    "noam": "lrlab.schedules.decay:noam",
    "power": "lrlab.schedules.decay:power",
    "rex": "lrlab.schedules.decay:rex",
    "tanh": "lrlab.schedules.decay:tanh",
    "hyperbolic": "lrlab.schedules.decay:hyperbolic",
    "exp_hyperbolic": "lrlab.schedules.decay:exp_hyperbolic",
    "step": "lrlab.schedules.stairs:step",
    "multistep": "lrlab.schedules.stairs:multistep",
    "piecewise": "lrlab.schedules.stairs:piecewise",
    "wsd": "lrlab.schedules.plateau:wsd",
    "flat_cosine": "lrlab.schedules.plateau:flat_cosine",
    "cosine_cycle": "lrlab.schedules.cycles:cosine_cycle",
    "cosine_restarts": "lrlab.schedules.cycles:cosine_restarts",
    "triangular": "lrlab.schedules.cycles:triangular",
    "triangular2": "lrlab.schedules.cycles:triangular2",
    "exp_range": "lrlab.schedules.cycles:exp_range",
    "slanted_triangular": "lrlab.schedules.cycles:slanted_triangular",
    "one_cycle": "lrlab.schedules.one_cycle:one_cycle",
    "chebyshev": "lrlab.schedules.acceleration:chebyshev",
    "silver": "lrlab.schedules.acceleration:silver",
    "refined": "lrlab.schedules.bounds:refined",
    "last_iterate": "lrlab.schedules.bounds:last_iterate",
    "two_point": "lrlab.schedules.splines:two_point",
    "spline": "lrlab.schedules.splines:spline",
}
"""Name -> "module:function". A name with `warmup_` in front has a warmup of 5 % by default."""

DEFAULT_WARMUP = 0.05

COMMON: dict[str, float | str | None] = {
    "warmup": 0,
    "warmup_start": 0.0,
    "warmup_kind": "linear",
    "low_momentum": None,
}
"""What every schedule takes in training besides its own parameters: a warmup, and the momentum at
its peak (see `Schedule.momentum`; None: the optimizer's own all the time)."""

FLOORS = {
    "one_cycle": ("start", "final"),
    "triangular": ("low",),
    "triangular2": ("low",),
    "exp_range": ("low",),
}
"""Parameters that lift a cycle off zero: without them it is a height between 0 and 1."""

OF_ALL_STEPS = {"wsd": ("cooldown",)}
"""Parameters whose fractions are of all the steps, the warmup included."""

REGISTRY: Registry[str] = Registry(
    "schedule",
    NAMES,
    filled=2,  # step, steps
    common=COMMON,
    option="parameter",
    aliases={f"warmup_{name}": (name, {"warmup": DEFAULT_WARMUP}) for name in NAMES},
    name_words=SCHEDULE_NAME,
    option_words=SCHEDULE,
)


def names() -> list[str]:
    """Every name that `make` takes, the warmup variants left out."""
    return list(NAMES)


def parameters(name: str) -> JsonObject:
    """The parameters of a schedule and their defaults; numbers among them may be lane axes.

    >>> parameters("wsd")["cooldown"]
    0.2
    """
    return registry.defaults(REGISTRY, name)


def describe(name: str) -> str:
    """The docstring of a schedule: formula, whether it ends at zero, source, example."""
    return registry.docstring(REGISTRY, name)
