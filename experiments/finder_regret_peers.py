"""How good is what a person would use instead of find, with as many full-length runs?

Hypothesis: a search that takes its best run takes the luckiest: it stays further off than find, and
more runs do not help it where rates near a cliff are noisy.
Command: pip install -r experiments/peers.txt, in an environment of its own with lrlab, and then
OMP_NUM_THREADS=1 python experiments/finder_regret_peers.py --out finder_regret [--roots 20]
Cost: a minute of a core for each pair with 6 roots, most of it in Gaussian processes.
Result: on 16 pairs, with 20 runs, find is off by 0.07 % in the median and at most 0.39 % in nine of
ten cases, Optuna's TPE by 0.41 and 38 %, its GP by 0.42 and 6.0 %, random search by 0.46 and 29 %.
On 23 sealed pairs find is off by 2.3 % at most in nine of ten cases, the best of the others, a
grid with two seeds, by 4.1 %, Optuna's GP by 4.8 %: experiments/README.md.

The records that `finder_regret.py` left in `--out` are read, of the pairs that have one: a trial
gets the lane of the nearest rate, with the seeds that find gets, and is judged at that rate. It
works in pieces, as that does: `--minutes`, and the next call continues, peer by peer. Packages that
are not there are left out. A trial starts where a full run still fits the budget; lanes that
diverge, and trials that are pruned, cost what they trained. A run that diverges counts as its
initial loss, as does one that ends worse: no peer is sent astray by losses of 1e9. Three habits of
seeds: another one for each trial; seed 0 for all; two for each rate, of which the mean is reported.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import importlib
import itertools
import json
import time
from collections.abc import Iterable
from pathlib import Path

import finder_regret_trials
import numpy as np
from finder_regret_judge import regret_at, truth_of
from finder_regret_peers_summary import find_rows, peer_figure, peer_rows, peer_table
from finder_regret_replay import TRUTH, searched
from finder_regret_trials import Peer, picks

PARTS = ("trials", "optuna", "skopt", "hyperoptax", "botorch")
"""The modules with searches: one that needs no package, and one for each package."""

HABITS = {"fresh": "", "fixed": ", seed 0", "two": ", 2 seeds"}
"""What a way is called by its seeds; a fresh seed for each trial is not said."""


def module(name: str):
    return importlib.import_module(f"finder_regret_{name}")


def measure(pair: str, lanes: dict, name: str, peer: Peer, roots: int) -> list[dict]:
    """One row for each habit, root, budget and rule."""
    problem, _, optimizer = pair.rpartition("-")
    rows = []
    for habit, root in itertools.product(peer.habits, range(roots)):
        for rule, budget, cost, lr in picks(peer, lanes, root, habit):
            label = name + rule + HABITS[habit]
            rows.append({
                "problem": problem, "optimizer": optimizer, "way": f"{label} {budget}",
                "cost": cost, "lr": lr, "root": root, "peer": label, "budget": budget,
            })  # fmt: skip
    return rows


@functools.cache
def program(part: str) -> str:
    """A digest of what the searches of a module depend on, but for the record."""
    files = (Path(str(one.__file__)) for one in (finder_regret_trials, module(part)))
    return hashlib.sha256("".join(path.read_text() for path in files).encode()).hexdigest()


def digest_of_searched(lanes: dict) -> str:
    """A digest of the seeds that searches get, which others of the record do not change."""
    some = np.array(searched(lanes["outcome"].shape[-1]))
    parts = (lanes[name][..., some] for name in ("metric", "initial", "outcome", "steps_trained"))
    return hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()


def nearest(lanes: dict, lr: float | None) -> float | None:
    """The rate whose lanes a trial got: what a person would see of it. Beside a cliff the one that
    was asked for can be another matter."""
    return None if lr is None else float(lanes["lr"][np.abs(np.log(lr / lanes["lr"])).argmin()])


def measured(folder: Path, pair: str, part: str, name: str, peer: Peer, roots: int) -> None:
    """Puts a peer's rows of a pair into the folder; what was searched before is judged again."""
    path, lanes = folder / f"{pair}.peers.json", dict(np.load(folder / f"{pair}.npz"))
    kept = json.loads(path.read_text()) if path.exists() else {}
    made = [program(part), digest_of_searched(lanes), roots]
    if (mine := kept.get(name, {})).get("made") != made:
        start = time.process_time()
        rows = measure(pair, lanes, name, peer, roots)
        mine = {"made": made, "seconds": time.process_time() - start, "rows": rows}
        print(f"{pair}, {name}: {mine['seconds']:.0f} s of a core", flush=True)
    truth = truth_of(lanes)
    for row in mine["rows"]:
        row.setdefault("asked", row["lr"])
        row["lr"] = nearest(lanes, row["asked"])
        row["regret"] = regret_at(truth, row["lr"])[0]
    part_file = path.with_suffix(".part")
    part_file.write_text(json.dumps({**kept, name: mine}))
    part_file.replace(path)  # a call that is killed leaves whole files


def installed(parts: Iterable[str] = PARTS) -> list[tuple[str, str, Peer]]:
    """(module, name, peer) of those parts whose packages are there."""
    found = []
    for part in parts:
        try:
            found += [(part, *item) for item in module(part).PEERS.items()]
        except ImportError as error:
            print(f"{part}: left out, {error}", flush=True)
    return found


def recorded(folder: Path) -> list[str]:
    """The pairs that have lanes to be searched."""
    files = sorted(path for path in folder.glob("*-*.npz") if ".part" not in path.name)
    return [path.stem for path in files if np.load(path)["outcome"].shape[-1] > 2 * TRUTH]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", help="problem-optimizer, with commas; all that are recorded")
    parser.add_argument("--roots", type=int, default=20)
    parser.add_argument("--only", nargs="+", choices=PARTS, help="these modules of searches alone")
    parser.add_argument("--minutes", type=float, help="stop after these; the next call continues")
    parser.add_argument("--out", type=Path, default=Path("finder_regret"))
    given = parser.parse_args()
    until = time.monotonic() + 60 * given.minutes if given.minutes else float("inf")
    pairs = given.pairs.split(",") if given.pairs else recorded(given.out)
    if missing := [pair for pair in pairs if not (given.out / f"{pair}.npz").exists()]:
        parser.error(
            f"no record of {', '.join(missing)} in {given.out}: run finder_regret.py first"
        )
    parts = given.only or PARTS
    pieces = list(itertools.product(installed(parts), pairs))
    for done, (peer, pair) in enumerate(pieces):
        if time.monotonic() > until:
            print(f"{len(pieces) - done} of {len(pieces)} pieces are left; call again to go on.")
            break
        measured(given.out, pair, *peer, given.roots)
    rows = find_rows(given.out, pairs) + peer_rows(given.out, pairs)
    peer_table(rows)
    peer_figure(rows, given.out / "finder_regret_peers.png")


if __name__ == "__main__":
    main()
