"""How good are learning-rate finders? Regret against cost, for lrlab's find and every rule.

Hypothesis: rules that read one short curve are often good and sometimes useless; a search that
trains the rates themselves is never far off, at a cost of a few runs, and knows how sure it is.
Command: python experiments/finder_regret.py [--set made|checked|sealed | --quick] [--minutes 3]
Cost: about 3 minutes on 2 CPU cores for the default (4 pairs of `made`); a set hours. `--minutes`
does what fits and stops; what was trained and measured stays in `--out`, and the next call
continues. `--truth` trains what is missing, and writes `finder_regret_truth.json`.
Result: on 23 sealed pairs, until it is sure (15 runs in the median), `find` is off by 0.05 % in
the median and 1.9 % in nine of ten cases; its interval is right in 88 % of cases. The best rule of
one short curve is off by 1.1 % and 100 %. More: experiments/README.md.

Three sets (`finder_regret_problems.py`): pairs that `find` was made with, pairs that are looked at
between versions, and pairs that are run once at the end. Every pair is trained once, at 8 rates a
decade from 1e-6 to 31.6, with 64 or 72 seeds. `find` then gets its lanes from that record (the
nearest rate; the seeds in the middle, in another order for each root seed): what it would have
trained, a hundred times cheaper. The truth is a sweep of 49 rates from 1e-5 to 10: the first 24
seeds choose the best, all scores are read on the last 24, so that luck does not count. Regret:
(score at the pick - score of the best) / (initial loss - score of the best). An interval is right
where no rate in it costs more than three tolerances (and two standard errors of the truth), and it
holds at least half (in log) of the rates within the tolerance (`finder_regret_judge.py`). "until
sure": as it is by default, it stops at a confidence of 0.9.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import inspect
import itertools
import json
import time
from pathlib import Path

import numpy as np
from finder_regret_judge import ERRORS, TOLERANCE, biases, curve, judged, regret_at, swept
from finder_regret_problems import PARTS, SETS, Pair, chosen, set_of
from finder_regret_record import RAMP, recorded
from finder_regret_replay import replayed
from finder_regret_truth import difference, written

import lrlab
from lrlab.search import SearchSettings, find

WAYS = (
    ("find 5", 5, None),
    ("find 10", 10, None),
    ("find 20", 20, None),
    ("find 40", 40, None),
    ("until sure", 40, 0.9),
)
"""(name, budget in full-length runs, confidence at which the search stops)."""


def measure(pair: Pair, lanes: dict[str, np.ndarray], roots: int) -> list[dict]:
    truth, rows, steps = curve(swept(lanes)), [], int(lanes["eval_steps"][-1])
    common = {
        "lr_range": (1e-6, 10.0), "seeds": [0, 1, 2], "metric": "metric",
        "steps": steps, "eval_steps": lanes["eval_steps"],
    }  # fmt: skip
    for root, (way, budget, confidence) in itertools.product(range(roots), WAYS):
        settings = SearchSettings(confidence=confidence)
        answer = find(replayed(lanes, root), budget_runs=budget, settings=settings, **common)
        regret, error = regret_at(truth, answer.lr)
        row = {
            "way": way, "cost": answer.cost, "verdict": answer.verdict, "lr": answer.lr,
            "regret": regret, "confidence": answer.confidence, "resolved": answer.resolved,
            "within": regret <= TOLERANCE + ERRORS * error,
            "bias": biases(answer.evidence, answer.details.get("fit"), str(lanes["direction"])),
        }  # fmt: skip
        if answer.interval is not None:
            row |= judged(truth, answer.interval, max(TOLERANCE, answer.resolved))
        rows.append(row)
    for rule, picks in lanes["picks"].items():
        cost = RAMP / steps  # find's counts full-length runs: the same unit
        rows += [
            {"way": rule, "cost": cost, "lr": lr, "regret": regret_at(truth, lr)[0]} for lr in picks
        ]
    about = {
        "problem": pair[0], "optimizer": pair[1], "set": set_of(pair),
        "at_end": bool(np.abs(truth.x[[0, -1]] - truth.best).min() < 1.5 * truth.step),
    }  # fmt: skip
    return [about | row for row in rows]


@functools.cache
def program() -> str:
    """A digest of the search's source and of `measure`: what others gave is not kept."""
    files = sorted((Path(lrlab.__file__).parent / "search").glob("*.py"))
    text = "".join(path.read_text() for path in files) + inspect.getsource(measure)
    return hashlib.sha256(text.encode()).hexdigest()


def measured(folder: Path, pair: Pair, roots: int, until: float) -> list[dict] | None:
    """The rows of a pair, from the folder where they are there; None where time ran out."""
    path = folder / f"{'-'.join(pair)}.rows.json"
    made = [program(), roots]
    if path.exists() and (kept := json.loads(path.read_text()))["made"] == made:
        return kept["rows"]
    lanes = recorded(folder, *pair, until)
    if lanes is None or time.monotonic() > until:
        return None
    if said := difference(pair, swept(lanes)):
        print(said, flush=True)
    rows = measure(pair, lanes, roots)
    path.write_text(json.dumps({"made": made, "rows": rows}))
    print(f"{', '.join(pair)}: done", flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--set", choices=[*SETS, *PARTS], default="default")
    for word, name in {"quick": "quick", "full": "made", "outside": "outside"}.items():
        parser.add_argument(f"--{word}", dest="set", action="store_const", const=name)
    parser.add_argument("--pairs", help="of the set these alone, such as wine-adam,digits-sgd")
    parser.add_argument("--truth", action="store_true", help="record, write the truths, no search")
    parser.add_argument("--roots", type=int, default=20)
    parser.add_argument("--minutes", type=float, help="stop after these; the next call continues")
    parser.add_argument("--out", type=Path, default=Path("finder_regret"))
    given = parser.parse_args()
    until = time.monotonic() + 60 * given.minutes if given.minutes else float("inf")
    given.out.mkdir(parents=True, exist_ok=True)
    pairs, found = chosen(given.set, given.pairs), {}
    for pair in pairs:
        try:
            if given.truth:
                found[pair] = recorded(given.out, *pair, until)
            else:
                found[pair] = measured(given.out, pair, given.roots, until)
        except lrlab.data.DataError as error:
            print(f"{', '.join(pair)}: left out, {error}", flush=True)
            found[pair] = []
    if missing := [pair for pair in pairs if found[pair] is None]:
        print(f"{len(missing)} of {len(pairs)} pairs are left; call again to go on.")
    if given.truth:
        print(f"{len(written(given.out, pairs))} truths written.")
        return
    if not (rows := [row for pair in pairs for row in found[pair] or []]):
        return
    (given.out / "rows.json").write_text(json.dumps(rows))
    from finder_regret_summary import figure, summaries

    summaries(rows)
    figure(rows, given.out / "finder_regret.png")


if __name__ == "__main__":
    main()
