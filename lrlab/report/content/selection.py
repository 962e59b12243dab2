"""Some of a run's learning rates alone."""

from __future__ import annotations

import numpy as np

from lrlab.report.content.data import ReportData


def with_rates(data: ReportData, rates: np.ndarray) -> ReportData:
    """The lanes of some learning rates alone; `rates` int[n], their places in `data.lr`."""
    training = None if data.training is None else data.training[rates]
    record = data.record.take(next(iter(data.record.axes)), rates)
    return data._replace(record=record, training=training)


def drawable(data: ReportData) -> ReportData:
    """The lanes that have a place on an axis in log LR: those of learning rate 0 have none."""
    some = np.flatnonzero(data.lr > 0)
    return data if len(some) in (0, len(data.lr)) else with_rates(data, some)
