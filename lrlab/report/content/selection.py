"""Some of a run's learning rates alone."""

from __future__ import annotations

from typing import Any

import numpy as np

from lrlab.report.content.data import ReportData


def with_rates(data: ReportData, rates: np.ndarray) -> ReportData:
    """The lanes of some learning rates alone; `rates` int[n], their places in `data.lr`."""

    def table(values: np.ndarray) -> np.ndarray:
        return values[:, rates]

    def tables(values: Any) -> dict[str, np.ndarray]:
        return {name: table(array) for name, array in values.items()}

    return data._replace(
        lr=data.lr[rates],
        train_loss=table(data.train_loss),
        learning_rate=table(data.learning_rate),
        evaluated=tables(data.evaluated),
        history=tables(data.history),
        initial={name: array[rates] for name, array in data.initial.items()},
        outcome=data.outcome[rates],
        diverged_at=data.diverged_at[rates],
    )


def drawable(data: ReportData) -> ReportData:
    """The lanes that have a place on an axis in log LR: those of learning rate 0 have none."""
    some = np.flatnonzero(data.lr > 0)
    return data if len(some) in (0, len(data.lr)) else with_rates(data, some)
