"""What a learning rate may cost and be good enough, and how sure of that a search should be."""

from __future__ import annotations

TOLERANCE = 0.01
"""The usual tolerance: a share of what training gains, from the initial metric to the best. One
percent is less than most people would tune for."""

CONFIDENCE = 0.9
"""The usual probability, that the recommended rate costs no more, at which a search stops."""
