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
