"""What is wrong with a run folder: cuts, flipped bits, missing pieces; and what is still good."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from lrlab.core.errors import RunError
from lrlab.core.files import sha256
from lrlab.core.paths import resolved, shown
from lrlab.core.text import JsonObject
from lrlab.runs import zarr_arrays
from lrlab.runs.checkpoint import load_checkpoint
from lrlab.runs.folder import ENDS, config_of, finished, read_info, stage_folders
from lrlab.runs.integrity import problems_of
from lrlab.runs.reader import read_stage, stages
from lrlab.runs.recorder import later_commits
from lrlab.runs.seals import inner_runs, read_sealed

STATES = ("running", "interrupted", "failed", *ENDS)
"""What `status` in `run.json` can be."""


class Finding(NamedTuple):
    """One thing that is wrong: the file, what, and what that means for the run."""

    file: str
    problem: str
    consequence: str


GATHERING = ("compare", "study")
"""Commands whose runs have no lanes of their own, but run folders inside."""


def check(path: str | Path) -> list[Finding]:
    """Everything that is wrong with a run folder; an empty list where nothing is.

    A finished run is compared with the checksums of its files; an unfinished one is read as a
    resume would read it: seals, the presence of every chunk, each chunk against its own checksum.
    A comparison's or a study's folder includes the runs inside.

    Raises:
        RunError: no run folder at all, nor the remains of one.
    """
    folder = resolved(path)
    names = ("run.json", "config.toml", "commit.json", "history.zarr", "checksums.json", "stages")
    if not any((folder / name).exists() for name in names):
        raise RunError(folder, "not a run folder (no run.json in it)")
    findings = {(item.file, item.problem): item for item in _findings(folder)}
    return list(findings.values())


def _findings(folder: Path) -> Iterator[Finding]:
    info: JsonObject = {}
    try:
        info = read_info(folder)
    except RunError as error:
        words = "the curves may still be readable; the run cannot be resumed"
        yield Finding("run.json", _short(error, folder), words)
    if (folder / "longer.json").exists():
        words = f"nothing is lost: `lrlab resume {shown(folder)}` completes that"
        yield Finding("longer.json", "a crash came while steps were raised", words)
        return
    if info and info.get("status") not in STATES:
        words = "the run counts as unfinished; `lrlab resume` brings it to its end"
        yield Finding("run.json", f"unknown status {info.get('status')!r}", words)
    if info:
        try:
            config_of(folder, info)
        except RunError as error:
            yield Finding("config.toml", _short(error, folder), _consequence("config.toml"))
    if finished(info):
        yield from _against_checksums(folder)
    for name in stages(folder):
        yield from _stage(folder, name)
    if info.get("committed") and not stages(folder) and not finished(info):
        words = "it would start again from nothing"
        yield Finding("commit.json", "missing, though there was one", words)
    for place in stage_folders(folder):
        if later_commits(place) and not (place / "commit.json").exists():
            file = (place / "commit.json").relative_to(folder).as_posix()
            yield Finding(file, "missing, though checkpoints are there", "it cannot be continued")
    if finished(info) and info.get("command") not in GATHERING and not stages(folder):
        yield Finding("commit.json", "missing", "the curves are lost; the answer stands")
    for inner in (*inner_runs(folder), *inner_runs(folder / "groups")):
        name = inner.parent.relative_to(folder).as_posix()
        for item in check(inner.parent):
            yield item._replace(file=f"{name}/{item.file}")


def _short(error: Exception, folder: Path) -> str:
    if isinstance(error, RunError) and Path(error.place).is_relative_to(folder):
        place = Path(error.place).relative_to(folder)
        return f"{place}: {error.text}" if place.parts else error.text
    return str(error)


def _against_checksums(folder: Path) -> Iterator[Finding]:
    words = "the other files cannot be vouched for"
    try:
        expected = read_sealed(folder / "checksums.json").get("sha256")
    except RunError as error:
        yield Finding("checksums.json", _short(error, folder), words)
        return
    if not isinstance(expected, dict):
        yield Finding("checksums.json", "damaged", words)
        return
    for name, digest in expected.items():
        place = folder / name
        if not place.is_file():
            yield Finding(name, "missing", _consequence(name))
        elif sha256(place) != digest:
            yield Finding(name, "changed or damaged since the run ended", _consequence(name))


def _consequence(name: str) -> str:
    if "history.zarr" in name:
        array = name.split("history.zarr/")[-1].split("/")[0]
        return "the curves are lost" if array == "zarr.json" else f"{array} of this run is lost"
    if "checkpoint" in name:
        return "the final states are lost; curves and answer stand"
    if name == "summary.json":
        return "the answer is lost; the curves stand, and lrlab.load(RUN).best() reads it from them"
    if name == "config.toml":
        return "the run cannot be resumed or repeated from its folder"
    return "the record of how the run was made is not to be trusted"


def _stage(folder: Path, name: str) -> Iterator[Finding]:
    """What a resume or a reader of a stage would meet."""
    place = folder / "stages" / name if name else folder
    prefix = f"stages/{name}/" if name else ""
    try:
        commit = read_sealed(place / "commit.json")
        lost = problems_of(place / "history.zarr", commit)
    except Exception as error:
        yield Finding(f"{prefix}commit.json", _short(error, place), "the stage is lost")
        return
    good = f"still readable: {', '.join(_readable(place, lost)) or 'nothing'}"
    for file, what in lost.items():
        words = f"{_consequence('history.zarr/' + file)}; {good}"
        yield Finding(f"{prefix}history.zarr/{file}", what, words)
    try:
        load_checkpoint(place, commit)
    except Exception as error:
        words = "training cannot be continued; recorded curves may still be readable"
        if commit.get("complete"):
            words = _consequence("checkpoint")
        yield Finding(f"{prefix}checkpoint", _short(error, place), words)
    if not lost:
        try:
            read_stage(folder, name)
        except Exception as error:
            good = f"still readable: {', '.join(_readable(place, {})) or 'nothing'}"
            yield Finding(f"{prefix}history.zarr", _short(error, place), good)


def _readable(place: Path, lost: Mapping[str, str]) -> list[str]:
    """The arrays of a stage that can be read whole."""
    store, good = place / "history.zarr", []
    bad = {file.split("/")[0] for file in lost}
    for name in zarr_arrays.names(store):
        if name not in bad:
            with contextlib.suppress(RunError):
                zarr_arrays.read(store, name)
                good.append(name)
    return good
