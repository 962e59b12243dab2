"""What can be trusted in a run folder: its seals, its checksums, its chunks, its last commit."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lrlab.core.errors import RunError
from lrlab.core.files import sha256
from lrlab.core.paths import shown
from lrlab.core.text import Table
from lrlab.runs import zarr_arrays
from lrlab.runs.seals import read_sealed


def check_files(store: Path, commit: Table) -> None:
    """Compares a zarr group with what its commit says of it. Chunks carry checksums of their own,
    which reading them checks.

    Raises:
        RunError: a file is changed or missing; names the first.
    """
    problems = problems_of(store, commit)
    if problems:
        name, what = next(iter(problems.items()))
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise RunError(store / name, f"{what}{more}")


def problems_of(store: Path, commit: Table) -> dict[str, str]:
    """Path in the group -> "missing" or "changed or damaged", of every file that is."""
    problems: dict[str, str] = {}
    for name, digest in dict(commit.get("fixed", {})).items():
        place = store / name
        if not place.is_file():
            problems[name] = "missing"
        elif sha256(place) != digest:
            problems[name] = "changed or damaged"
    wanted = {name: tuple(rows) for name, rows in dict(commit.get("rows", {})).items()}
    wanted |= {name: (0, None) for name in commit.get("lanes", ())}
    for name, (first, end) in wanted.items():
        if f"{name}/zarr.json" not in problems:
            problems |= dict.fromkeys(zarr_arrays.lost(store, name, first, end), "missing")
    return problems


def discard(rows: np.ndarray, ends: np.ndarray, trained: np.ndarray) -> np.ndarray:
    """`rows` [K, lanes...] with nan where row k belongs to update `ends[k]` that the lane, with
    `trained` [lanes...] updates committed, had not made: a crash came between writing and commit.

    >>> discard(np.ones((3, 2)), np.array([1, 2, 3]), np.array([3, 1])).tolist()
    [[1.0, 1.0], [1.0, nan], [1.0, nan]]
    """
    late = ends.reshape(-1, *([1] * (rows.ndim - 1))) > trained[None]
    if late.any():
        rows[late] = np.nan
    return rows


def vouch(folder: Path, name: str) -> None:
    """Compares a file of a finished run with its checksum.

    Raises:
        RunError: it was changed or damaged, or is missing.
    """
    place = folder / "checksums.json"
    if not place.is_file():
        return
    expected = read_sealed(place).get("sha256")
    digest = expected.get(name) if isinstance(expected, dict) else None
    if digest is None:
        return
    hint = f"`lrlab doctor {shown(folder)}` says what can be used"
    if not (folder / name).is_file():
        raise RunError(folder / name, f"missing; {hint}")
    if sha256(folder / name) != digest:
        raise RunError(folder / name, f"changed or damaged since the run ended; {hint}")
