"""Training many lanes in one compiled program.

Read in this order: `state` and `step` (one lane, one update), `programs` (a tile of lanes,
compiled), `layout` and `tiles` (which lane sits where), `segments` (training and evaluating them),
`dealing` (which device trains which tile), `loop` (from the plan to the record), `results` (the
record and its checkpoints), `plan`, `limits` and `tuning` (tile width), `probing` (probes),
`devices`, `places` (devices that share a lane) and `executables` (the machine).
"""

from lrlab.engine.loop import train
from lrlab.engine.plan import make_plan

__all__ = ["make_plan", "train"]
