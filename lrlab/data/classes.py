"""Words in a table's target column, as labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lrlab.data.checks import MAX_GUESSED_CLASSES

MISSING = ("", "na", "n/a", "nan", "null", "none", "missing", "?", "-", ".")
"""What stands for a value that is not there, in any case: a column with one of them is not taken
for one of classes, so that no example gets the class "missing" unseen."""


def classes(
    cells: Sequence[str], number: Callable[[str], float | None]
) -> tuple[list[int], list[str]] | None:
    """The cells of a column of words as labels, and the words in the order of their labels (that of
    the alphabet); None where the column is none: a number, a missing value, or more than
    `MAX_GUESSED_CLASSES` different words, or every word once, as names of examples are.

    Args:
        number: a cell as a number, or None.

    >>> classes(["cat", "dog", " cat"], lambda cell: None)
    ([0, 1, 0], ['cat', 'dog'])
    >>> classes(["cat", "cat", ""], lambda cell: None), classes(["anna", "ben"], lambda cell: None)
    (None, None)
    """
    words = [cell.strip() for cell in cells]
    names = sorted(set(words))
    if not 1 < len(names) <= min(MAX_GUESSED_CLASSES, len(words) - 1):
        return None
    if any(name.lower() in MISSING or number(name) is not None for name in names):
        return None
    places = {name: label for label, name in enumerate(names)}
    return [places[word] for word in words], names


def unclassed(
    cells: Sequence[str], number: Callable[[str], float | None], labels: bool = True
) -> tuple[int | None, str] | None:
    """What is wrong with a target column that `classes` does not take: the place of the first row
    without a target (None: the column as a whole is wrong), and words; None: nothing here.

    Args:
        number: a cell as a number, or None. labels: whether words would be labels.

    >>> unclassed(["a", "b", "?"], lambda cell: None)[0]
    2
    >>> unclassed(["a", "a"], lambda cell: None)
    (None, "every target is 'a'; there is nothing to learn (another target?)")
    >>> unclassed(["1", "2"], float)
    """
    cells = [cell.strip() for cell in cells]
    lost = [place for place, cell in enumerate(cells) if cell.lower() in MISSING]
    if lost and len(lost) < len(cells):
        many = f" (one of {len(lost):,} such rows)" if len(lost) > 1 else ""
        return lost[0], (
            f"{cells[lost[0]]!r} is not a number, and no class{many}; leave out rows without a "
            "target, or name another column with target = ..."
        )
    if not labels or any(number(cell) is not None for cell in set(cells)):
        return None
    words = len(set(cells))
    if words == 1:
        return None, f"every target is {cells[0]!r}; there is nothing to learn (another target?)"
    if words == len(cells):
        return None, (
            f"{cells[0]!r} is a word of its own as in every row, so that they are no classes; "
            "encode the target's words as labels 0, 1, ..., or name another column by target = ..."
        )
    return None, (
        f"{words:,} different words, and at most {MAX_GUESSED_CLASSES:,} are taken for classes; "
        "encode the target's words as labels 0, 1, ..., or name another column with target = ..."
    )
