"""`on="ray"` without Ray: the pieces are trained in this process, and are as small as they get."""

from __future__ import annotations

import functools

from lrlab.cluster import driver
from lrlab.cluster.inline import inline
from lrlab.cluster.pool import Pace
from lrlab.training import recording, session
from lrlab.workflows import dispatch, job

SMALL = Pace(longest=1e-9, shortest=0.0)
"""One update in a piece, once one was timed."""


def in_pieces(monkeypatch, pace: Pace = SMALL) -> None:
    monkeypatch.setattr(recording, "checked", lambda on: None)
    monkeypatch.setattr(dispatch, "checked", lambda on: None)
    for module in (job, dispatch):
        monkeypatch.setattr(module, "on_ray", lambda on, own: inline)
    train = functools.partial(driver.train, pace=pace)
    monkeypatch.setattr(session.driver, "train", train)
