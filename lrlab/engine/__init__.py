"""Training many lanes in one compiled program.

Read in this order: `step` (one lane, one update), `wave` (tiles of lanes, compiled), `lanes` (which
lane sits in which tile), `loop` (segments, outcomes, compaction, checkpoints), `plan` (mesh, tile
width, memory), `devices`.
"""

from lrlab.engine.loop import train
from lrlab.engine.plan import make_plan

__all__ = ["make_plan", "train"]
