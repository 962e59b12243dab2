"""Training many lanes in one compiled program.

Read in this order: `step` (one lane, one update), `programs` (a tile of lanes, compiled), `lanes`
and `tiles` (which lane sits where), `loop` (segments, outcomes, compaction, checkpoints), `plan`
(devices, tile width, memory), `measure` (probes), `devices` and `replicas` (the machine).
"""

from lrlab.engine.loop import train
from lrlab.engine.plan import make_plan

__all__ = ["make_plan", "train"]
