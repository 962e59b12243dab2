"""Several learning rates that are searched: what is wrong with them."""

from __future__ import annotations

from lrlab.config.rates import searched


def wrong(rates: dict, command: str = "find", **raw: object) -> list[str]:
    return [".".join(path) for path, _ in searched(rates, {"lr": rates, **raw}, command)]


def test_ranges_and_held_rates() -> None:
    assert wrong({"a": [1e-3, 1.0], "b": {"log": [1e-3, 1.0, 5]}, "c": 0.1}) == []
    assert wrong({}) == [] and wrong({}, "compare") == []


def test_what_is_wrong_is_at_its_place() -> None:
    assert wrong({"a": 0.1, "b": [0.1]}) == ["lr"]
    assert wrong({"a": [0.0, 1.0], "b": 0.1}) == ["lr.a"]
    assert wrong({"a": [0.1, 1.0]}, lr_range=[0.1, 1.0]) == ["lr_range"]
    assert wrong({"a": [0.1, 1.0]}, "compare") == ["lr"]
    assert wrong({"a": ["x"]}) == []  # the schema says it
