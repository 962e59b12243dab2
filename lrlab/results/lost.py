"""Lanes of a sweep that were asked for and have no weights: why."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lrlab.core.records import OK, LaneRecord
from lrlab.core.weights import NEAR


def why_lost(record: LaneRecord, wanted: Mapping[str, float]) -> str | None:
    """Why the weights of the lanes with these values are not kept; None where a lane of them
    finished, or there is none.

    Args:
        wanted: axis -> value, as in `lrlab.core.weights.place_of`.
    """
    flat = record.flat()
    if any(name not in flat.axes for name in wanted):
        return None
    match = np.ones(flat.outcome.shape, bool)
    for name, value in wanted.items():
        rtol = 0 if name == "seed" else NEAR
        match &= np.isclose(np.asarray(flat.axes[name], np.float64), value, rtol=rtol, atol=0)
    if not match.any() or (flat.outcome[match] == OK).any():
        return None
    at = ", ".join(f"{name} = {value:.10g}" for name, value in wanted.items())
    which = f"the lane with {at}" if match.sum() == 1 else f"each lane with {at}"
    ends = flat.diverged_at[match]
    if (ends < 0).any():
        return f"{which} did not finish, and only weights of lanes that finish are kept"
    when = f"at update {ends.min()}"
    if ends.min() < ends.max():
        when = f"between the updates {ends.min()} and {ends.max()}"
    return f"{which} diverged {when}, and only weights of lanes that finish are kept"
