"""Which array, file or column is which: inputs or targets, of which split, by its name."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Sequence

from lrlab.core.synonyms import did_you_mean
from lrlab.data.dataset import DataError

SPLITS = {
    "train": ("train", "training"),
    "valid": ("valid", "val", "validation", "dev"),
    "test": ("test", "testing"),
}
"""Split -> the words that people name it by, in any case."""
INPUTS = ("x", "input", "inputs", "image", "images", "img", "features", "data")
TARGETS = ("y", "label", "labels", "target", "targets", "fine_label")
"""The usual names, in any case."""


def split_of(name: str) -> str | None:
    """The split that a name stands for alone.

    >>> split_of("Validation"), split_of("unsupervised")
    ('valid', None)
    """
    words = {word: split for split, several in SPLITS.items() for word in several}
    return words.get(name.lower())


def parted(name: str) -> tuple[str, str | None]:
    """A name in small letters without the word of its split, and the split.

    >>> parted("X_train"), parted("valImages"), parted("x"), parted("xtest")
    (('x', 'train'), ('images', 'valid'), ('x', None), ('x', 'test'))
    """
    spread = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    plain = "_".join(word for word in re.split(r"[\s_.-]+", spread.lower()) if word)
    words = {word: split for split, several in SPLITS.items() for word in several}
    for word in sorted(words, key=len, reverse=True):
        for apart in ("_", ""):
            for rest in (plain.removesuffix(apart + word), plain.removeprefix(word + apart)):
                if rest and rest != plain and (apart or rest in (*INPUTS, *TARGETS)):
                    return rest, words[word]
    return plain, None


def kept(names: Iterable[str], ignore: Sequence[str] | str, place: str) -> list[str]:
    """The names that no pattern of `ignore` stands for.

    Raises:
        DataError: a pattern that stands for none.
    """
    names = list(names)
    patterns = [ignore] if isinstance(ignore, str) else [str(pattern) for pattern in ignore]
    for pattern in patterns:
        if not fnmatch.filter(names, pattern):
            raise DataError(
                f"{place}: ignore names {pattern!r}, and it has {', '.join(names)}", "ignore"
            )
    return [name for name in names if not any(fnmatch.fnmatchcase(name, p) for p in patterns)]


def pairs(
    names: Iterable[str], inputs: str | None, target: str | None, place: str
) -> dict[str, tuple[str, str]]:
    """Split -> (name of the inputs, name of the targets), with every name in its place.

    Args:
        inputs, target: the names in place of the usual ones, with or without a split's word.

    Raises:
        DataError: two names for one part, a part that is missing, or names left over.

    >>> pairs(["X_train", "y_train", "X_val", "y_val"], None, None, "mine")
    {'train': ('X_train', 'y_train'), 'valid': ('X_val', 'y_val')}
    """
    names = sorted(names)
    roles = {"inputs": _meant(inputs, INPUTS), "targets": _meant(target, TARGETS)}
    result: dict[tuple[str, str], str] = {}
    left: list[str] = []
    for name in names:
        rest, split = parted(name)
        role = next((role for role, accepted in roles.items() if rest in accepted), None)
        if role is None:
            left.append(name)
            continue
        key = split or "train", role
        if key in result:
            raise DataError(
                f"{place}: both {result[key]!r} and {name!r} may be the {key[0]} {role}; "
                f"leave one out with ignore = [{name!r}], or name yours with the options inputs "
                "and target",
                "ignore",
                also=("inputs", "target"),
            )
        result[key] = name
    splits = [split for split in SPLITS if split == "train" or (split, "inputs") in result]
    asked = {"inputs": inputs or "x", "targets": target or "y"}
    for split in splits:
        for role, usual in asked.items():
            if (split, role) not in result:
                wanted = usual if split == "train" else f"{parted(usual)[0]}_{split}"
                raise DataError(
                    f"{place}: holds no array {wanted!r}; it has {', '.join(names)}; "
                    "name yours with the options inputs and target",
                    "target" if role == "targets" else role,
                )
    left += [name for (split, _), name in result.items() if split not in splits]
    if left:
        raise DataError(
            f"{place}: nothing uses {', '.join(map(repr, left))}; held-out data are named "
            "x_valid, y_valid, x_test and y_test, and what is not meant is left out with "
            f"ignore = {left}"
        )
    return {split: (result[split, "inputs"], result[split, "targets"]) for split in splits}


def one_of(names: Sequence[str], given: str | None, usual: Sequence[str], option: str) -> str:
    """The one column that is named, or has a usual name.

    Raises:
        DataError: none, or several.
    """
    if given is not None:
        if given in names:
            return given
        hint = did_you_mean(given, names, end=".")
        raise DataError(f"no column {given!r}{hint} It has: {', '.join(names)}", option)
    result = [name for name in names if name.lower() in usual]
    if len(result) != 1:
        what = f"{' and '.join(result)} may both be it" if result else f"it has {', '.join(names)}"
        raise DataError(
            f"no single column for {option}: {what}; name it with the option {option}", option
        )
    return result[0]


def _meant(given: str | None, usual: Sequence[str]) -> Sequence[str]:
    return usual if given is None else (parted(given)[0],)


def unused(names: Iterable[str], used: Sequence[str], place: str) -> None:
    """Raises DataError for names that are in no use."""
    left = [name for name in names if name not in used]
    if left:
        raise DataError(
            f"{place}: nothing uses {', '.join(map(repr, left))}; what is not meant is left out "
            f"with ignore = {left}"
        )
