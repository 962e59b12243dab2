"""What is wrong with a run folder: cuts, flipped bits, missing pieces; and what still is good."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from lrlab.runs import history
from lrlab.runs.files import RunError, read_json, sha256
from lrlab.runs.folder import read_info
from lrlab.runs.stage import load_checkpoint
from lrlab.runs.stored import read_stage, stages


class Finding(NamedTuple):
    """One thing that is wrong: the file, what, and what that means for the run."""

    file: str
    problem: str
    consequence: str


def check(path: str | Path) -> list[Finding]:
    """Everything that is wrong with a run folder; an empty list where all is well.

    A finished run is compared with the checksums of its files; an unfinished one is read as a
    resume would read it, every chunk against its own checksum.

    Raises:
        RunError: no run folder at all.
    """
    folder = Path(path)
    if not (folder / "run.json").exists():
        raise RunError(f"{folder}: not a run folder (no run.json in it)")
    try:
        info = read_info(folder)
    except RunError as error:
        words = "the curves may still be readable; the run cannot be resumed"
        return [Finding("run.json", str(error), words)]
    found: list[Finding] = []
    if info.get("status") == "finished":
        found += _against_checksums(folder)
    for name in stages(folder):
        found += _stage(folder, name)
    return list(dict.fromkeys(found))


def _against_checksums(folder: Path) -> list[Finding]:
    try:
        expected = read_json(folder / "checksums.json").get("sha256")
    except RunError as error:
        return [Finding("checksums.json", str(error), "the other files cannot be vouched for")]
    if not isinstance(expected, dict):
        return [Finding("checksums.json", "damaged", "the other files cannot be vouched for")]
    found = []
    for name, digest in expected.items():
        place = folder / name
        if not place.is_file():
            found.append(Finding(name, "missing", _consequence(name)))
        elif sha256(place) != digest:
            found.append(
                Finding(name, "changed or damaged since the run ended", _consequence(name))
            )
    return found


def _consequence(name: str) -> str:
    if "history.zarr" in name:
        return f"do not trust {name.split('history.zarr/')[-1].split('/')[0]} of this run"
    if "checkpoint" in name:
        return "the final states are lost; curves and answer stand"
    if name == "summary.json":
        return "the answer is lost; `lrlab report` still shows the curves"
    if name == "config.toml":
        return "the run cannot be repeated from its folder"
    return "the record of how the run was made is not to be trusted"


def _stage(folder: Path, name: str) -> list[Finding]:
    place = folder / "stages" / name if name else folder
    found = []
    try:
        commit = read_json(place / "commit.json")
        load_checkpoint(place, commit)
    except RunError as error:
        words = "training cannot go on from here; recorded curves may still be readable"
        found.append(Finding(str(place.relative_to(folder) / "checkpoint"), str(error), words))
    except Exception as error:
        words = "training cannot go on from here; recorded curves may still be readable"
        found.append(Finding("commit.json", f"damaged ({error})", words))
    try:
        read_stage(folder, name)
    except RunError as error:
        shown = str(place.relative_to(folder) / "history.zarr")
        good = _readable(place)
        words = f"still readable: {', '.join(good) or 'nothing'}"
        found.append(Finding(shown, str(error), words))
    except Exception as error:
        found.append(Finding("history.zarr", f"damaged ({error})", "curves are lost"))
    return found


def _readable(place: Path) -> list[str]:
    store, good = place / "history.zarr", []
    for name in history.names(store):
        try:
            history.read(store, name)
        except RunError:
            continue
        good.append(name)
    return good
