"""The soak: kills, damage, a full disk, bad input and endurance, on real runs. Not part of the
default tests.

    python tests/soak.py kill --rounds 200       sweeps and searches, killed at random instants
    python tests/soak.py damage --cases 1000     run folders damaged at random
    python tests/soak.py malformed --cases 10000 configurations, settings and data files
    python tests/soak.py disk                    a disk that fills up at random places
    python tests/soak.py endure --minutes 60     10,000 segments and more, at constant memory
    python tests/soak.py writers --rounds 10     two processes on one folder, and a crash of one
    python tests/soak.py overhead --rounds 3     a digits sweep of 30 s with and without its folder

Every part prints what it counted and ends with status 1 where a bar is missed. Tests run a few
rounds of each (`tests/house/test_soak.py`). --seed changes what is random, --seconds ends a part
early (what was counted is printed all the same).
"""

from __future__ import annotations

import argparse
import sys

from soak_cost import overhead, writers
from soak_damage import damage
from soak_input import malformed
from soak_kill import kill
from soak_room import disk, endure
from soak_runs import KINDS

PARTS = ("kill", "damage", "malformed", "disk", "endure", "writers", "overhead")

LIMITS = {"permille grown": 10, "permille of checkpoints": 50,
          "milliseconds until refused, at most": 2000}  # fmt: skip

BAD = ("different", "failed", "commits lost", "damaged by a kill", "silently wrong", "told badly",
       "doctor crashed", "reader crashed", "refused but not found", "traceback", "hang",
       "no place", "another status", "not refused", "not taken over")  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--segments", type=int, default=10_000)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seconds", type=float, default=1e9)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", default=",".join(KINDS))
    given = parser.parse_args()
    if given.part == "kill":
        kinds = tuple(given.kinds.split(","))
        counted = kill(given.rounds, given.seed, kinds, given.seconds)
    elif given.part == "damage":
        counted = damage(given.cases, given.seed, given.seconds)
    elif given.part == "malformed":
        counted = malformed(given.cases, given.seed, given.seconds)
    elif given.part == "disk":
        counted = disk(given.rounds, given.seed, given.seconds)
    elif given.part == "writers":
        counted = writers(given.rounds, given.seconds)
    elif given.part == "overhead":
        counted = overhead(given.rounds, given.seconds)
    else:
        counted = endure(given.segments, given.minutes)
    for name, count in sorted(counted.items()):
        print(f"{name}: {count:,}")
    over = any(counted[name] > most for name, most in LIMITS.items())
    return 1 if over or any(counted[name] for name in BAD) else 0


if __name__ == "__main__":
    sys.exit(main())
