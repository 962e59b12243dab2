"""The ridge: the best rate at each value of a further axis, where the surface is known."""

from __future__ import annotations

import numpy as np
import pytest
from axes_world import CURVATURE, START, World, search

from lrlab.search import SearchSettings
from lrlab.search.ridge import others_in_words

TOLERANCE = 0.01
MOMENTA = [0.0, 0.5, 0.9, 0.99]


def ridge(floor, **options):
    world = World(best=lambda momentum: 0.3 * (1 - momentum), floor=floor, noise=0.004, own=0.002)
    answer = search(
        world, {"momentum": MOMENTA}, budget_runs=40,
        settings=SearchSettings(confidence=None), **options,
    )  # fmt: skip
    return answer, answer.details["ridge"]


def test_every_value_has_its_rate_its_interval_and_whether_it_is_as_good() -> None:
    floors = dict(zip(MOMENTA, (0.203, 0.2, 0.204, 0.4), strict=True))
    answer, rows = ridge(lambda momentum: np.array([floors[float(m)] for m in momentum]))
    assert [row["momentum"] for row in rows] == MOMENTA
    width = np.sqrt(TOLERANCE * (START - 0.2) / CURVATURE)  # decades to either side
    for row in rows[:3]:
        best = np.log10(0.3 * (1 - row["momentum"]))
        assert np.log10(row["lr"]) == pytest.approx(best, abs=width)
        if row["interval"] is None:
            continue
        ends = np.log10(row["interval"])
        assert (np.abs(ends - best) <= np.sqrt(3) * width).all()  # none costs 3 tolerances
        assert ends[1] - ends[0] >= width  # half of the good rates
    assert rows[0]["interval"] or rows[1]["interval"] or rows[2]["interval"]
    assert all(row["within"] > 0.6 and row["regret"] < 0.02 for row in rows[:3])
    assert rows[3]["within"] < 0.1 and rows[3]["regret"] == pytest.approx(0.2 / 1.8, abs=0.06)
    chosen = next(row for row in rows if row["momentum"] == answer.details["at"]["momentum"])
    assert chosen["lr"] == answer.lr and chosen["interval"] == list(answer.interval)


def test_one_value_alone_is_good() -> None:
    answer, rows = ridge(lambda momentum: 0.2 + 0.5 * np.abs(momentum - 0.9))
    assert answer.details["at"] == {"momentum": 0.9}
    assert [row["within"] > 0.5 for row in rows] == [False, False, True, False]
    assert "are as good" not in answer.sentence


ROWS = [
    {"wd": wd, "within": 0.5, "regret": 0.02, "interval": [0.1, 0.2]}
    for wd in (0.0, 0.01, 0.1, 1.0)
]


@pytest.mark.parametrize(
    ("within", "words"),
    [
        ((0.99, 0.99, 0.99, 0.05), " wd 0 to 0.1 are as good, each at its own rate."),
        ((0.99, 0.3, 0.99, 0.05), " wd 0 and 0.1 are as good, each at its own rate."),
        ((0.99, 0.3, 0.99, 0.95), " wd 0, 0.1 and 1 are as good, each at its own rate."),
        ((0.3, 0.6, 0.99, 0.1), " wd 0.01 may be as good (60 % sure)."),
        ((0.01, 0.05, 0.99, 0.02), " Next: wd 0.01, which costs 2 % more at its best rate."),
        ((None, None, 0.99, None), ""),
    ],
)
def test_the_others_in_words(within, words) -> None:
    rows = [{**row, "within": share} for row, share in zip(ROWS, within, strict=True)]
    assert others_in_words(rows, 2, ["wd"], 0.9, [share or 0.0 for share in within]) == words


def test_a_combination_whose_best_rate_is_not_known_may_be_as_good() -> None:
    rows = [
        {**row, "within": share} for row, share in zip(ROWS, (0.95, 0.2, 0.99, 0.1), strict=True)
    ]
    words = others_in_words(rows, 2, ["wd"], 0.9, [0.6, 0.1, 0.99, 0.0])
    assert words == " wd 0 may be as good (95 % sure)."


def test_several_axes_and_names_in_words() -> None:
    rows = [
        {"wd": wd, "schedule": name, "within": 0.95, "regret": 0.0, "interval": [0.1, 0.2]}
        for wd in (0.0, 0.1) for name in ("linear", "wsd")
    ]  # fmt: skip
    own = [0.95] * len(rows)
    said = others_in_words(rows, 0, ["wd", "schedule"], 0.9, own)
    assert said == (
        " wd 0, schedule linear; wd 0, schedule wsd; wd 0.1, schedule linear and 1 more are as "
        "good, each at its own rate."
    )
    names = others_in_words(rows[:2], 0, ["schedule"], 0.9, own)
    assert names == " schedule linear and wsd are as good, each at its own rate."
