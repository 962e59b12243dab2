"""Lane axes as they are written: a number, a list, or `{log|linear|values = [...]}`; and seeds.

A lane form stands where the value would stand: `lr = {log = [1e-5, 1.0, 33]}`,
`weight_decay = [0.0, 0.01]`.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, TypeAlias, TypeGuard

import numpy as np
from pydantic import PlainValidator

from lrlab.core import scale as scaling
from lrlab.core.grids import log_grid
from lrlab.core.score import checked
from lrlab.core.text import JsonObject, Table, show

FORMS = ("log", "linear", "values")

MAX_VALUES = 1_000_000
"""Values on one axis."""
MAX_LANES = 100_000_000
"""Lanes in a run: their results must fit in memory, and their numbers in an int32."""
LaneForm: TypeAlias = float | list[float] | dict[str, list[float]]


def is_form(value: object) -> TypeGuard[Table]:
    """Whether `value` is a table such as `{log = [low, high, num]}`."""
    return isinstance(value, Mapping) and bool(value) and all(key in FORMS for key in value)


def is_axis(value: object) -> bool:
    """Whether a (valid) lane form sweeps: anything but a single number."""
    return isinstance(value, (list, tuple)) or is_form(value)


def values(form: LaneForm | tuple[float, ...] | Table) -> tuple[float, ...]:
    """The numbers a lane form stands for, in order.

    >>> values({"log": [0.01, 1.0, 3]})
    (0.01, 0.1, 1.0)
    >>> values(0.5), values([3.0, 1.0])
    ((0.5,), (3.0, 1.0))
    """
    if isinstance(form, Mapping):
        ((kind, written),) = form.items()
        if kind == "values":
            return tuple(map(float, written))
        low, high, num = written
        grid = log_grid(low, high, int(num)) if kind == "log" else np.linspace(low, high, int(num))
        return tuple(float(value) for value in grid)
    return tuple(map(float, form)) if isinstance(form, (list, tuple)) else (float(form),)


ANY, NOT_NEGATIVE, POSITIVE = "any", "not negative", "positive"


def lane_form(value: object, sign: str = ANY) -> LaneForm:
    """Check one lane form and return it in plain types; `sign`: which numbers may stand there.

    Raises:
        ValueError: not a number, list or one-entry table; an empty list; a value not finite, or of
            the wrong sign; `low >= high`; `num` below 2 or not whole; an end of a `log` grid that
            is not above 0.
    """
    if isinstance(value, Mapping):
        if len(value) != 1 or not is_form(value):
            raise ValueError(
                "must be a number, a list, or one of {log = [low, high, num]}, "
                f"{{linear = [low, high, num]}}, {{values = [...]}}; got {show(value)}"
            )
        ((kind, written),) = value.items()
        if not isinstance(written, (list, tuple)):
            raise ValueError(f"{kind} must be a list, got {show(written)}")
        if kind == "values":
            return {kind: _numbers(written, sign)}
        return {kind: _grid(kind, written, sign)}
    if isinstance(value, (list, tuple)):
        return _numbers(value, sign)
    return _number(value, sign)


def _number(value: object, sign: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"must be a number or a list of numbers, got {show(value)}")
    try:
        finite = math.isfinite(value)
    except OverflowError:  # a whole number beyond every float
        finite = False
    if not finite:
        raise ValueError(f"must be finite, got {show(value)}")
    if sign == POSITIVE and value <= 0:
        raise ValueError(f"must be greater than 0, got {show(value)}")
    if sign == NOT_NEGATIVE and value < 0:
        raise ValueError(f"must not be negative, got {show(value)}")
    return float(value)


def _numbers(given: Sequence[object], sign: str) -> list[float]:
    if not given:
        raise ValueError("must hold at least one number, got []")
    if len(given) > MAX_VALUES:
        raise ValueError(f"must hold at most {MAX_VALUES:,} numbers, got {len(given):,}")
    return [_number(value, sign) for value in given]


def _grid(kind: str, given: Sequence[object], sign: str) -> list[float]:
    if len(given) != 3:
        raise ValueError(f"{kind} must be [low, high, num], got {show(list(given))}")
    try:
        low, high = (_number(end, POSITIVE if kind == "log" else sign) for end in given[:2])
    except ValueError as error:
        raise ValueError(f"the ends of {kind} = {show(list(given))}: {error}") from None
    num = given[2]
    if isinstance(num, bool) or not isinstance(num, (int, float)) or num % 1 != 0:
        raise ValueError(
            f"num in {kind} = [low, high, num] must be a whole number, got {show(num)}"
        )
    if num < 2:
        raise ValueError(f"num in {kind} = [low, high, num] must be at least 2, got {show(num)}")
    if num > MAX_VALUES:
        raise ValueError(
            f"num in {kind} = [low, high, num] must be at most {MAX_VALUES:,}, got {show(num)}"
        )
    if low >= high:
        raise ValueError(f"low must be below high in {kind} = {show(list(given))}")
    return [low, high, int(num)]


def _learning_rate(value: object) -> LaneForm | dict[str, LaneForm]:
    if isinstance(value, Mapping) and value and not is_form(value):
        groups = {}
        for group, form in value.items():
            try:
                groups[str(group)] = lane_form(form, NOT_NEGATIVE)
            except ValueError as error:
                raise ValueError(f"group {group!r}: {error}") from None
        return groups
    return lane_form(value, NOT_NEGATIVE)


def _schedule_name(value: object) -> str | list[str | JsonObject]:
    """A schedule's name; or a list of names and tables, which are trained side by side."""
    if isinstance(value, str):
        return value
    if not isinstance(value, (list, tuple)) or not value:
        raise ValueError(f"must be a name, or a list of names and tables, got {show(value)}")
    for entry in value:
        name = entry.get("name") if isinstance(entry, Mapping) else entry
        if not isinstance(name, str):
            raise ValueError(
                'each schedule must be a name, or a table such as {name = "wsd", cooldown = 0.3}; '
                f"got {show(entry)}"
            )
    return [dict(entry) if isinstance(entry, Mapping) else entry for entry in value]


def _interval(value: object) -> list[float]:
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        raise ValueError(f"must be [low, high], got {show(value)}")
    low, high = _numbers(value, POSITIVE)
    if low >= high:
        raise ValueError(f"low must be below high, got {show(list(value))}")
    return [low, high]


def _seeds(value: object) -> int | list[int]:
    if isinstance(value, (list, tuple)):
        if not value:
            raise ValueError("must hold at least one seed, got []")
        for seed in value:
            _whole(seed, 0)
        repeated = sorted(seed for seed, count in Counter(value).items() if count > 1)
        if repeated:
            raise ValueError(f"must not repeat a seed, got {show(repeated[0])} more than once")
        return list(value)
    return _whole(value, 1)


def _batch_size(value: object) -> int | str:
    if value == "full":
        return "full"
    if isinstance(value, str):
        raise ValueError(f'must be a whole number or "full", got {show(value)}')
    return _whole(value, 1)


def _whole(value: object, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"must be a whole number, got {show(value)}")
    if not least <= value < 2**31:
        raise ValueError(f"must be at least {least} and below 2^31, got {value}")
    return value


_UNITS = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}


def parse_budget(value: object) -> tuple[float | None, float | None]:
    """A budget as (full-length runs, seconds), one of them None.

    >>> parse_budget(20), parse_budget("1.5m")
    ((20.0, None), (None, 90.0))
    """
    if isinstance(value, str):
        match = re.fullmatch(r"\s*([0-9.]+)\s*(s|m|min|h)\s*", value)
        if match is None or match[1].count(".") > 1 or not match[1].strip("."):
            raise ValueError(
                f'must be a number of full-length runs or a time such as "60s", got {show(value)}'
            )
        seconds = float(match[1]) * _UNITS[match[2]]
        if not 0 < seconds < math.inf:
            raise ValueError(f"must be greater than 0 and finite, got {show(value)}")
        return None, seconds
    return _number(value, POSITIVE), None


def _budget(value: object) -> float | str:
    if not isinstance(value, str):
        return _number(value, POSITIVE)
    parse_budget(value)
    return value.strip()


NO_GOAL = "none"
"""A file's word for no confidence at which a search stops: TOML has no null."""


def _confidence(value: object) -> float | None:
    if value is None or value == NO_GOAL:
        return None
    if isinstance(value, str):
        raise ValueError(f'must be a probability such as 0.9, or "{NO_GOAL}", got {show(value)}')
    return _share(value, f'0.9 is nine of ten, "{NO_GOAL}" no goal')


def _share(value: object, example: str = "0.01 is one percent") -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"must be one number above 0 and below 1 ({example}), got {show(value)}")
    number = _number(value, POSITIVE)
    if number >= 1:
        raise ValueError(f"must be below 1 ({example}), got {show(value)}")
    return number


def _none_or(check: Callable[[object], object]) -> PlainValidator:
    return PlainValidator(lambda value: None if value is None else check(value))


LearningRate = Annotated[Any, _none_or(_learning_rate)]
Axis = Annotated[Any, PlainValidator(lambda value: lane_form(value))]
ScheduleName = Annotated[Any, PlainValidator(_schedule_name)]
Interval = Annotated[list[float], PlainValidator(_interval)]
Seeds = Annotated[int | list[int], PlainValidator(_seeds)]
BatchSize = Annotated[int | str, PlainValidator(_batch_size)]
Score = Annotated[str, PlainValidator(checked)]
Scale = Annotated[str, PlainValidator(scaling.checked)]
Confidence = Annotated[float | None, PlainValidator(_confidence)]
Share = Annotated[float, PlainValidator(_share)]
Budget = Annotated[float | str | None, _none_or(_budget)]


def length_of(value: object) -> int:
    """How many values a lane form has, as far as it is one; 1 of anything else.

    >>> length_of([0.1, 0.2]), length_of({"log": [1e-5, 1.0, 33]}), length_of(0.1)
    (2, 33, 1)
    """
    if isinstance(value, (list, tuple)):
        return max(1, len(value))
    if is_form(value):
        (kind, *_), (written, *_) = list(value), list(value.values())
        if isinstance(written, (list, tuple)) and kind == "values":
            return max(1, len(written))
        if isinstance(written, (list, tuple)) and len(written) == 3:
            num = written[2]
            if isinstance(num, (int, float)) and 1 <= num <= MAX_LANES:
                return int(num)
    return 1
