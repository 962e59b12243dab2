"""The line locator against TOML's ways of writing one thing; the writer against tomllib."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrlab.config.toml import dumps, locate, parse_override

TEXT = '''\
# a comment with [brackets] and = signs
a = 1
"quoted key" = "x # no comment"
b.c = {d = 1, e = [1,
  2, # inside
  {f = "]}"}]}
long = """
[not.a.table]
x = 1
"""
literal = \'\'\'
y = 2\'\'\'

[table . sub]
'k' = 'v\\'   # trailing

[[many]]
n = 1
[[many]]
n = 2
'''


def test_locate() -> None:
    tomllib.loads(TEXT)
    lines = locate(TEXT)
    assert lines[("a",)] == 2
    assert lines[("quoted key",)] == 3
    assert lines[("b", "c", "d")] == 4
    assert lines[("b", "c", "e", "1")] == 5
    assert lines[("b", "c", "e", "2", "f")] == 6
    assert lines[("long",)] == 7
    assert ("x",) not in lines and ("not", "a") not in lines
    assert lines[("literal",)] == 11
    assert lines[("table", "sub", "k")] == 15
    assert (lines[("b", "c")], lines[("table",)], lines[("many",)]) == (4, 14, 17)
    assert lines[("many", "0", "n")] == 18
    assert lines[("many", "1", "n")] == 20


def test_locate_finds_every_key_on_its_own_line() -> None:
    text = "\n".join(f"k{i} = {i}" for i in range(50)) + "\n"
    assert locate(text) == {(f"k{i}",): i + 1 for i in range(50)}


@pytest.mark.parametrize(
    ("text", "path", "value"),
    [
        ("a=1", ("a",), 1),
        ("a.b=0.1", ("a", "b"), 0.1),
        ('a."x y"=[1, 2]', ("a", "x y"), [1, 2]),
        ("a=adam", ("a",), "adam"),
        ("a='x=y'", ("a",), "x=y"),
        ("a=60s", ("a",), "60s"),
        ("a=./data/x.npz", ("a",), "./data/x.npz"),
        ("a={b = 1}", ("a",), {"b": 1}),
        ("a=true", ("a",), True),
        ("a=.5", ("a",), 0.5),
        ("a=1.", ("a",), 1.0),
    ],
)
def test_override(text: str, path: tuple[str, ...], value: object) -> None:
    assert parse_override(text) == (path, value)


@pytest.mark.parametrize("text", ["", "a", "=1", "a=", "a=[1", "a={b", 'a="x', "a..b=1"])
def test_override_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"key=value|TOML value"):
        parse_override(text)


_KEYS = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), min_size=1, max_size=8)
_SCALARS = (
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), max_size=12)
)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=100)
@given(st.dictionaries(_KEYS, _VALUES, max_size=4))
def test_what_is_written_is_read_back(table: dict[str, object]) -> None:
    text = dumps(table)
    assert tomllib.loads(text) == table
    top = {path[0] for path in locate(text)}
    assert top == set(table)
