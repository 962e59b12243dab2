"""From run folders to what reports are made of: one run, several, a comparison, a range test."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lrlab import runs
from lrlab.core.errors import RunError
from lrlab.core.files import read_json
from lrlab.core.records import NOT_RUN, PRUNED, LaneRecord
from lrlab.core.score import LAST
from lrlab.core.text import Table
from lrlab.report.content.data import (
    ReportData,
    Stage,
    of_record,
    stage_of,
)
from lrlab.report.content.selection import drawable, sampled
from lrlab.search.range_test import (
    RangeCurves,
    ladder,
    losses_of,
    losses_so_far,
    range_test,
)

RATES = (24, 400)
"""How few and how many learning rates a sweep has whose first updates count as a range test."""

FEWEST_UPDATES, MOST_UPDATES = 10, 100
"""Updates of such a sweep, a tenth of it at most, that count as the range test: as many as a usual
test makes, and no fewer than a curve needs."""


class Folders(NamedTuple):
    """Runs to report on together, and their folders; of a comparison its `summary.json`."""

    runs: Sequence[ReportData]
    places: Sequence[Path] = ()
    comparison: Table | None = None


def read(run: str | Path, every_lane: bool = False) -> ReportData:
    """The report's data from a run folder alone (the arrays, the answer, the manifest, the config).
    Of very many lanes some are read (`selection.sampled`), unless `every_lane` is wanted.

    Raises:
        ValueError: the folder holds no readable run.
    """
    path = Path(run)
    manifest, record = runs.open_run(path, lazy=True)
    if runs.finished(manifest):
        runs.vouch(path, "summary.json")
    data = _data(path, manifest, record, _stages(path, record), _json(path / "summary.json"))
    if manifest.get("command") == "range-test":
        return data._replace(test=_test(data))
    data = _derived(data)
    return data if every_lane else sampled(data)


def read_live(run: str | Path) -> ReportData:
    """As `read`, of a run that may be under way: with what its last commit holds, and how far it
    is. Nothing is locked or written; jax is not imported.

    Raises:
        ValueError: the folder holds no readable run, or nothing is committed yet.
    """
    path = Path(run)
    info, status = runs.status_of(path)
    if status == "finished":
        return read(path)
    live = runs.read_live(path)
    record, training = live.whole
    stages = []
    for part, under_way in live.parts:
        stage = stage_of(part, part.steps_trained)
        ran = part.outcome != NOT_RUN
        stages.append(stage._replace(outcome=np.where(under_way[ran], "training", stage.outcome)))
    data = _data(path, info, record, stages, None)
    data = data._replace(training=training, standing=live.standing, status=status)
    if info.get("command") == "range-test":
        return data._replace(test=_test(data))
    return sampled(data)


def _data(
    path: Path, manifest: Table, record: LaneRecord, stages: Sequence[Stage], answer: Table | None
) -> ReportData:
    return of_record(
        str(manifest.get("title") or manifest.get("name") or path.name),
        record,
        answer=answer,
        manifest=manifest,
        config_text=_config_text(path, manifest),
        command=f"lrlab {manifest.get('command', 'sweep')} {path / 'config.toml'}",
        stages=stages,
        score=str(manifest.get("score", LAST)),
    )


def _derived(data: ReportData) -> ReportData:
    """A sweep's first updates are a parallel range test: the rules' picks on it.

    As it is where there are further lane axes, few or very many rates, repeated ones, or pruned
    ones.
    """
    updates = min(MOST_UPDATES, len(data.record.steps) // 10)
    moving = drawable(data)
    order = np.argsort(moving.lr, kind="stable")
    grid = not data.extra and RATES[0] <= len(moving.lr) <= RATES[1]
    grid = grid and bool((np.diff(moving.lr[order]) > 0).all())
    complete = not np.isin(data.record.outcome, (PRUNED, NOT_RUN)).any()
    if not grid or updates < FEWEST_UPDATES or not complete:
        return data
    early = moving.record.history["train_loss"][:updates, order]
    if not np.isfinite(early).any():
        return data  # curves from elsewhere, without what every update recorded
    loss = losses_of("parallel", "train", early, {})
    test = range_test(moving.lr[order], loss, data.seeds, "parallel", "train")
    return data._replace(
        suggestions=test.suggestions(),
        suggested_by=f"a parallel range test: the first {updates} updates of this sweep",
    )


def _stages(path: Path, whole: LaneRecord) -> list[Stage]:
    names = runs.stages(path)
    parts = [whole] if len(names) == 1 else [runs.read_stage(path, name) for name in names]
    return [stage_of(part, part.steps_trained) for part in parts]


def _test(data: ReportData) -> RangeCurves | None:
    """The range test that a run's arrays hold; None where its configuration is lost. Of one that is
    under way the curves so far, of which no rule says anything yet."""
    try:
        spec = tomllib.loads(data.config_text)["range_test"]
        kind, split, mode = spec["kind"], spec["split"], spec.get("mode", "exponential")
        rates = ladder(spec["start"], spec["end"], spec["num_steps"], mode)
        record = data.record
        curves = record.history["train_loss"], record.evaluated
        if data.training is not None:
            loss = losses_so_far(kind, split, *curves, data.training)
            return RangeCurves(rates, loss, data.seeds, kind, split, mode=mode)
        loss = losses_of(kind, split, *curves)
        test = range_test(rates, loss, data.seeds, kind, split, mode)
        return test._replace(remark=str((data.answer or {}).get("remark") or ""))
    except (KeyError, tomllib.TOMLDecodeError):
        return None


def read_all(folders: Sequence[str | Path]) -> Folders:
    """Several runs, to be shown together.

    A comparison's folder stands for its runs. The picks of a range test's rules are drawn into the
    runs with the same task, data and optimizer.

    Raises:
        ValueError: no readable run; names the folder.
    """
    data: list[ReportData] = []
    places: list[Path] = []
    compared = []
    for folder in map(Path, folders):
        inner = [place.parent for place in runs.inner_runs(folder)]
        if inner:
            compared.append(_json(folder / "summary.json"))
        inner = inner or [folder]
        inner = [place for place in inner if runs.stages(place)]
        if not inner:
            raise ValueError(f"{folder}: nothing is recorded here yet")
        places += inner
    data = with_picks([read(place) for place in places])
    only = compared[0] if len(compared) == len(folders) == 1 else None
    if only:
        names = [str(entry.get("name")) for entry in only.get("entries") or ()]
        rank = {name: number for number, name in enumerate(names)}
        order = sorted(range(len(places)), key=lambda i: rank.get(places[i].name, len(rank)))
        data, places = [data[i] for i in order], [places[i] for i in order]
    return Folders(data, places, only)


def read_study(folder: str | Path) -> Table:
    """A finished study's JSON object from its folder.

    Raises:
        RunError: not finished, or damaged.
    """
    path = Path(folder)
    if not (path / "summary.json").exists():
        raise RunError(path, f"not finished; {runs.onward(path)}")
    return runs.read_summary(path).payload(path)


def with_picks(several: Sequence[ReportData]) -> list[ReportData]:
    """The runs; those with the task and the optimizer of a range test get its rules' picks."""
    tests = [data for data in several if data.test is not None and not data.status]

    def joined(data: ReportData) -> ReportData:
        if data.test is None:
            for other in tests:
                if other.test is not None and _alike(data, other):
                    words = f"the range test beside it ({other.test.kind}, {other.test.split} loss)"
                    picks = other.test.suggestions()
                    return data._replace(suggestions=picks, suggested_by=words)
        return data

    return [joined(data) for data in several]


def _alike(a: ReportData, b: ReportData) -> bool:
    try:
        x, y = (tomllib.loads(data.config_text) for data in (a, b))
    except tomllib.TOMLDecodeError:
        return False
    same = all(x.get(table) == y.get(table) for table in ("task", "optimizer", "precision"))
    return same and a.manifest.get("data_sha256") == b.manifest.get("data_sha256")


def _json(path: Path) -> Table | None:
    return read_json(path) if path.exists() else None


def _config_text(path: Path, manifest: Table) -> str:
    """The configuration, or a line that says why there is none to be trusted."""
    if not (path / "config.toml").exists():
        return ""
    try:
        return runs.config_of(path, manifest)
    except runs.RunError as error:
        return f"# {error}\n"
