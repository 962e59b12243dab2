"""The one table of all optimizers: a line for each, with everything that is known about it.

To add one: a function `name(lr, *, hyper-parameters) -> optax.GradientTransformation` in a file of
its own and a line here, or a line alone where Optax has the function. Nothing here imports jax.
"""

from __future__ import annotations

from lrlab.optimizers.method import Method
from lrlab.optimizers.table.moments import MOMENTS
from lrlab.optimizers.table.scaled import SCALED
from lrlab.optimizers.table.self_tuning import SELF_TUNING

METHODS: dict[str, Method] = {**MOMENTS, **SCALED, **SELF_TUNING}
"""Name -> what is known about the method, in the order of the listings."""
