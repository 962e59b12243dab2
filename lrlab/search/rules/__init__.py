"""Rules: pure functions from a range test's curve to a learning rate. One file per origin.

A rule is `rule(lr f64[N], loss f64[N]) -> Pick`, on the curve as its tool records it; the module's
`recorded(lr, loss)` makes that curve from the losses themselves: the tool's smoothing, where it
stops, and what it trims. To add one: a function and a line in `NAMES`. A published rule stays what
was published: where its tool compares losses with a multiple of the best (`STOP`, by `TOOL`), which
means nothing for a negative loss, the pick carries a note that says so.
"""

from __future__ import annotations

import sys

import numpy as np
from numpy.typing import ArrayLike

from lrlab.core.registry import Registry, load
from lrlab.search.rules.curves import Pick, none

NAMES: dict[str, str] = {
    "valley": "lrlab.search.rules.fastai:valley",
    "slide": "lrlab.search.rules.fastai:slide",
    "minimum": "lrlab.search.rules.fastai:minimum",
    "steep": "lrlab.search.rules.fastai:steep",
    "lightning": "lrlab.search.rules.lightning:lightning",
    "lightning_before_2_5_3": "lrlab.search.rules.lightning:lightning_before_2_5_3",
    "torch_lr_finder": "lrlab.search.rules.torch_lr_finder:torch_lr_finder",
    "safe_descent": "lrlab.search.rules.robust:safe_descent",
    "below_divergence": "lrlab.search.rules.robust:below_divergence",
    "lowest": "lrlab.search.rules.robust:lowest",
}
"""Name -> "module:function"."""

REGISTRY: Registry[str] = Registry("rule", NAMES, filled=2)  # lr, loss


def apply(name: str, lr: ArrayLike, loss: ArrayLike, *, raw: bool = True) -> Pick:
    """A rule on one curve.

    Args:
        lr: the ladder, f64[N], ascending; `loss` f64[N], nan after divergence.
        raw: `loss` holds the losses themselves, one per rate; False where it is a curve that the
            rule's tool recorded, smoothed and trimmed already.

    Raises:
        ValueError: no such rule, or arrays that do not belong together.

    >>> import numpy as np
    >>> lr = np.geomspace(1e-6, 1.0, 60)
    >>> loss = 2.3 - 2 / (1 + np.exp(-3 * (np.log10(lr) + 2)))
    >>> 1e-4 < apply("valley", lr, loss).lr < 1e-1
    True
    """
    rule = load(REGISTRY, name)
    lr, loss = np.asarray(lr, np.float64), np.asarray(loss, np.float64)
    if lr.shape != loss.shape or lr.ndim != 1:
        raise ValueError(f"a rule takes lr [N] and loss [N], got {lr.shape} and {loss.shape}")
    if len(lr) > 1 and (np.diff(lr) <= 0).any():
        raise ValueError("a rule takes ascending learning rates; sort the curve by lr first")
    if not np.isfinite(loss).any():
        return none("no loss is finite" if len(loss) else "the curve is empty")
    if not raw:
        return rule(lr, loss)
    origin = sys.modules[rule.__module__]
    shown = origin.recorded(lr, loss)
    pick: Pick = rule(*shown)
    if not hasattr(origin, "TOOL") or not (loss[np.isfinite(loss)] < 0).any():
        return pick
    note = (
        f"the loss is negative, and {origin.TOOL} stops where it is above {origin.STOP:g} times "
        f"the best so far: the rule saw {len(shown[0])} of {len(lr)} points"
    )
    reason = f"{pick.reason}: {note}" if pick.reason else ""
    return pick._replace(reason=reason, note=note)
