"""Which learning rate does an existing TrainState script train with, after a change of six lines?

Hypothesis: the script's 0.003 was a guess; it is inside the interval or it is not.
Command: python experiments/any_training/trainstate.py
Cost: 20 full runs' worth of 500 steps at most, 14 s of CPU.
Result: 0.0033, anything from 0.0017 to 0.0066 costs at most 1 % more (2 seeds, 95 % sure): the
script's 0.003 was a good guess.
"""

from __future__ import annotations

import difflib
from pathlib import Path

from trainstate_task import task

import lrlab


def change() -> list[str]:
    """The lines that make the task of the script: `- ` before, `+ ` after."""
    folder = Path(__file__).parent
    before, after = (
        (folder / f"trainstate_{name}.py").read_text().splitlines() for name in ("script", "task")
    )
    return [line for line in difflib.ndiff(before, after) if line[0] in "+-"]


def main() -> None:
    print("\n".join(change()))
    print(lrlab.find(task, steps=500, batch_size=64, budget=20))


if __name__ == "__main__":
    main()
