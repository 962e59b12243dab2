"""The truth tables of `finder_regret.py`: written from records, committed, and compared.

`finder_regret_truth.json` holds for each pair at 49 rates the mean regret and its standard error
(`finder_regret_judge.swept`). The records that they are of, 200 KB each, are not committed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from finder_regret_judge import ERRORS, Swept, swept
from finder_regret_problems import Pair, names, set_of, version_of
from finder_regret_record import read
from finder_regret_replay import TRUTH

PATH = Path(__file__).with_suffix(".json")

DIGITS = 5
"""Significant digits of the numbers in the file."""

ROUNDING = 1e-3
"""Regret by which two truths may differ anyhow: another machine rounds otherwise."""


def entry(pair: Pair, lanes: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """A pair's truth as the file holds it."""
    found, count = swept(lanes), int(lanes["outcome"].shape[-1])
    return {
        "set": set_of(pair),
        "version": version_of(pair[0]),
        "direction": str(lanes["direction"]),
        "steps": int(lanes["eval_steps"][-1]),
        "seeds": {"chosen_on": [0, TRUTH - 1], "read_on": [count - TRUTH, count - 1],
                  "recorded": count},
        "best_lr": short(found.lr[found.best]),
        "best_score": short(found.best_score),
        "initial_score": short(found.initial_score),
        "regret": [short(value) for value in found.regret],
        "error": [short(value) for value in found.error],
    }  # fmt: skip


def short(value: float) -> float:
    """A number to so many digits as the file holds.

    >>> short(0.123456789)
    0.12346
    """
    return float(f"{value:.{DIGITS}g}")


def loaded(path: Path = PATH) -> dict[str, Any]:
    """The committed truths: `lr`, the 49 rates, and `pairs` by name."""
    return json.loads(path.read_text()) if path.exists() else {"lr": [], "pairs": {}}


def written(folder: Path, pairs: Iterable[Pair], path: Path = PATH) -> list[str]:
    """Writes the truths of the pairs whose whole records are in the folder, beside those that are
    in the file; gives the names of those pairs."""
    whole, done = loaded(path), []
    for pair, name in zip(pairs, names(pairs), strict=True):
        lanes = read(folder / f"{name}.npz")
        if lanes is None:
            continue
        whole["lr"] = [short(lr) for lr in swept(lanes).lr]
        whole["pairs"][name] = entry(pair, lanes)
        done.append(name)
    rows = [f'"{name}": {json.dumps(whole["pairs"][name])}' for name in sorted(whole["pairs"])]
    rates, body = json.dumps(whole["lr"]), ",\n".join(rows)
    path.write_text(f'{{"lr": {rates},\n"pairs": {{\n{body}\n}}}}\n')
    return done


def difference(pair: Pair, found: Swept, path: Path = PATH) -> str:
    """What is said where a record's truth is not the committed one; "" where they agree, or there
    is none: they differ where a regret differs by more than `ERRORS` standard errors of both."""
    name = "-".join(pair)
    known = loaded(path)["pairs"].get(name)
    if known is None:
        return ""
    if known["version"] != version_of(pair[0]):
        return f"{name}: the committed truth is of another version of the problem; see --truth"
    allowed = ERRORS * np.hypot(found.error, known["error"]) + ROUNDING
    apart = np.abs(found.regret - known["regret"])
    if not (apart > allowed).any():
        return ""
    worst = int((apart - allowed).argmax())
    return (
        f"{name}: this record's truth differs from the committed one at {(apart > allowed).sum()} "
        f"of {len(apart)} rates, most at {found.lr[worst]:.2g}: a regret of "
        f"{100 * found.regret[worst]:.2f} % in place of {100 * known['regret'][worst]:.2f} %"
    )
