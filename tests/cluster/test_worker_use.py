"""How well workers were used: added up, kept in the run folder, shown in the report."""

from __future__ import annotations

import contextlib
import functools
import json

from pooled import in_pieces

import lrlab
from lrlab import report
from lrlab.cluster.inline import Inline
from lrlab.cluster.tally import By, Tally
from lrlab.core import worker_use
from lrlab.core.worker_use import Usage, joined, usage_of
from lrlab.report.content import summary

USUAL = dict(optimizer="sgd", lr=[0.01, 0.1], seeds=1, steps=6, batch_size=8, progress=False,
             plan=lrlab.Plan(1, 1, 3))  # fmt: skip


def test_it_is_added_up() -> None:
    tally = Tally()
    for attempt in (0, 1, None):
        tally.trained(By("10.0.0.1", 7, attempt, 100), 2.0)
    tally.trained(By("10.0.0.2", 7, 0, 300), 1.0)
    tally.failed()
    tally.trained(None, 50.0)  # this process, which is no worker
    usage = tally.usage._replace(there=14.0)
    assert usage.pieces == {"10.0.0.1/7": 3, "10.0.0.2/7": 1}
    assert (usage.again, usage.busy, usage.memory, usage.share) == (2, 7.0, 300, 0.5)
    assert usage_of(json.loads(json.dumps(usage.table))) == usage


def test_time_counts_for_every_worker(monkeypatch) -> None:
    clock = iter([10.0, 12.0, 13.0])
    monkeypatch.setattr("lrlab.cluster.tally.time.monotonic", lambda: next(clock))
    tally = Tally()
    tally.passed(3)
    tally.passed(1)
    assert tally.usage.there == 7.0


def test_very_many_workers_are_counted_by_node(monkeypatch) -> None:
    monkeypatch.setattr(worker_use, "MOST", 2)
    one = Usage({"a/1": 1, "b/1": 2})
    assert joined(one, Usage({"a/2": 3})).pieces == {"a": 4, "b": 2}


def test_the_report_says_it(tmp_path, monkeypatch) -> None:
    in_pieces(monkeypatch)

    class Elsewhere(Inline):
        def finished(self, timeout):
            done = super().finished(timeout)
            by = By("10.0.0.1", 7, 0, 5 << 20)
            return [one._replace(result=one.result._replace(by=by)) for one in done]

    @contextlib.contextmanager
    def opened(setting):
        yield Elsewhere(setting)

    monkeypatch.setattr("lrlab.workflows.job.on_ray", lambda on, own: opened)
    lrlab.sweep("iris-linear", **USUAL, out=tmp_path / "run", on="ray")
    rows = {what: (value, note) for what, value, note in summary.costs(
        report.read(tmp_path / "run"))}  # fmt: skip
    value, note = rows["Busy workers"]
    assert value.endswith("of the time") and note.startswith("1 worker; ")
    assert "0 trained again; 5 MiB each at most" in note
    lrlab.sweep("iris-linear", **USUAL, out=tmp_path / "here")
    assert "Busy workers" not in str(summary.costs(report.read(tmp_path / "here")))


def test_who_knows_nothing_of_workers_is_told_nothing() -> None:
    assert usage_of({}) is None and usage_of({"pieces": {}}) is None
    assert functools.reduce(joined, [Usage({"a/1": 1}, busy=1.0)] * 3).busy == 3.0
