"""Where the axes of parameters are in a value of a program, and what they meet.

A value that depends on no data is a form of some parameters: each axis of such a parameter is in
certain axes of the value (a reshape may split it), or its role is decided already.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from lrlab.scaling.rules import APART, FREE, LOST

Mark = frozenset[int] | str
"""Where an axis of a parameter is now: axes of a value, or its role once that is decided."""

Form = tuple[int, tuple[Mark, ...]]
"""The parameter's number, and a mark for each of its axes."""

Role = Callable[[int], str]


class Seen(NamedTuple):
    """A value of the program: whether it depends on data; which parameters it is a form of; whether
    it came out of a product of values without data, like a learned query.
    """

    data: bool = False
    forms: frozenset[Form] = frozenset()
    flows: bool = False


class Uses(NamedTuple):
    """(parameter, roles of its axes) where it meets data; `aside`: where it meets constants, as in
    a power iteration, which counts where nothing else is known.
    """

    met: set[tuple[int, tuple[str, ...]]]
    aside: set[tuple[int, tuple[str, ...]]]


def meet(value: Seen, record: Uses, role: Role, aside: bool = False) -> None:
    """Notes that a value met data, axis by axis."""
    for number, marks in value.forms:
        roles = tuple(mark if isinstance(mark, str) else _one(map(role, mark)) for mark in marks)
        (record.aside if aside else record.met).add((number, roles))


def _one(roles: Iterable[str]) -> str:
    """The role of an axis that is in several places: of a number of heads times a head size."""
    different = set(roles) - {APART} or {APART}
    return different.pop() if len(different) == 1 else LOST


def settled(number: int, axes: Sequence[int], record: Uses) -> set[tuple[str, ...]]:
    """What is known best: complete uses, else complete ones beside, else incomplete ones."""
    met = {tuple(roles[a] for a in axes) for i, roles in record.met if i == number}
    aside = {tuple(roles[a] for a in axes) for i, roles in record.aside if i == number}
    for uses in (met, aside):
        complete = {roles for roles in uses if LOST not in roles}
        if complete:
            return complete
    return met | aside


def after(value: Seen, moved: Callable[[int], frozenset[int]], name: str = "") -> Seen:
    """A value whose axes went elsewhere; an axis that went nowhere is lost, or was looked up."""
    gone = APART if name in ("gather", "squeeze") else LOST

    def mark(old: Mark) -> Mark:
        if isinstance(old, str):
            return old
        new = frozenset().union(*map(moved, old))
        return new or gone

    forms = frozenset((i, tuple(map(mark, marks))) for i, marks in value.forms)
    return value._replace(forms=forms)


def union(values: Sequence[Seen]) -> Seen:
    """All forms; those that lost an axis (norms that divide a kernel) only where no other is."""
    forms = frozenset().union(*(value.forms for value in values))
    whole = {number for number, marks in forms if LOST not in marks}
    kept = frozenset(form for form in forms if LOST not in form[1] or form[0] not in whole)
    return Seen(any(value.data for value in values), kept, any(value.flows for value in values))


def joined(values: Sequence[Seen], record: Uses) -> Seen:
    """One of several values: where one is data, the others meet it as they are."""
    if any(value.data for value in values):
        for value in values:
            if not value.data:
                meet(value, record, lambda axis: FREE)
        return Seen(True)
    return union(values)


def without_vectors(value: Seen, rank: int, record: Uses) -> Seen:
    """A value less those of its forms that do not have all its axes: they have met what flows."""

    def covers(form: Form) -> bool:
        axes = frozenset().union(*(mark for mark in form[1] if not isinstance(mark, str)))
        return len(axes) == rank

    vectors = frozenset(form for form in value.forms if not covers(form))
    meet(Seen(False, vectors), record, lambda axis: FREE)
    return value._replace(forms=value.forms - vectors)
