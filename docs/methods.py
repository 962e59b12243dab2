"""The page of all methods, from the registries: `python docs/methods.py` writes it.

`docs/methods.md` lists every schedule and optimizer with its formula and source;
`docs/choose/methods.md` holds a short table of counts between two markers. A test compares both
with the registries.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from lrlab import optimizers
from lrlab.config import names
from lrlab.core import registry
from lrlab.optimizers.method import Kind

BEGIN, END = "<!-- methods: python docs/methods.py -->", "<!-- end of methods -->"
CHOOSE = "docs/choose/methods.md"
"""The page that holds the short table."""

_SOURCE = re.compile(r"\(((?:[^()]|\([^()]*\))*?\b(?:18|19|20)\d\d\b(?:[^()]|\([^()]*\))*)\)")
_ARXIV = re.compile(r"arXiv (\d{4}\.\d{4,5})")


class Method(NamedTuple):
    """One line of the page: the registry's name, what it does, and where it comes from."""

    name: str
    summary: str
    source: str


def kinds() -> dict[str, list[Method]]:
    """Every method by kind, in the registries' order; nothing of jax is imported."""

    def of(kind: Kind) -> list[Method]:
        return [_method("optimizers", name) for name in optimizers.names(kind)]

    return {
        "schedules": [_method("schedules", name) for name in names.REGISTRIES["schedules"].entries],
        "optimizers": of("optimizer"),
        "learning-rate-free optimizers": of("learning-rate-free"),
        "adaptive controllers": of("controller"),
    }


def _method(kind: str, name: str) -> Method:
    whole = registry.docstring(names.REGISTRIES[kind], name)
    text = " ".join(whole.partition(">>>")[0].split())
    found = [match[1] for match in _SOURCE.finditer(text)]

    def bare(words: str) -> str:
        words = " ".join(words.split())
        for source in found:
            words = words.replace(f" ({source})", "")
        return words

    summary = bare(registry.first_sentence(whole))
    if kind == "optimizers":  # the formula stands after the blank line, the source after it
        formula = [*whole.split("\n\n"), ""][1]
        summary += " " + re.split(r"\.\s(?=[A-Z`])", bare(formula))[0].rstrip(".") + "."
    return Method(name, summary, "; ".join(found))


def page() -> str:
    """`docs/methods.md`."""
    parts = [
        "# Methods",
        "Every entry of the registries, written by `python docs/methods.py`. p stands for "
        "`step / steps`, g for the gradient, w for the parameters, lr for the learning rate of the "
        "step. `lrlab ls schedules` and `lrlab ls optimizers` show the options, "
        "`lrlab.schedules.describe(name)` and `lrlab.optimizers.describe(name)` the whole text.",
    ]
    for kind, methods in kinds().items():
        rows = [f"| `{m.name}` | {_cell(m.summary)} | {_linked(m.source)} |" for m in methods]
        parts += [
            f"## {kind.capitalize()} ({len(methods)})",
            "\n".join(["| name | what it does | source |", "|---|---|---|", *rows]),
        ]
    parts += ["## With every optimizer", _every_optimizer()]
    return "\n\n".join(parts) + "\n"


def _every_optimizer() -> str:
    """The list in `lrlab.optimizers.options`: its module's docstring after the first sentence."""
    text = ast.get_docstring(registry.source("lrlab.optimizers.options")) or ""
    opening, items = text.split("\n\n")[1:3]
    lines = "\n".join(" ".join(item.split()) for item in re.split(r"\n(?=- )", items))
    return f"{' '.join(opening.split())}\n\n{_linked(lines)}"


def short_table() -> str:
    """The short table: how many of each kind, how many with an arXiv number, and their names."""
    rows = ["| kind | count | with arXiv number | names |", "|---|---:|---:|---|"]
    for kind, methods in kinds().items():
        cited = sum(bool(_ARXIV.search(m.source)) for m in methods)
        listed = ", ".join(f"`{m.name}`" for m in methods)
        rows.append(f"| {kind} | {len(methods)} | {cited} | {listed} |")
    return "\n".join(rows)


def with_table(text: str) -> str:
    """A page's text with the table brought up to date.

    Raises:
        ValueError: the markers are not there.
    """
    if BEGIN not in text or END not in text:
        raise ValueError(f"{CHOOSE} must hold the lines {BEGIN} and {END}")
    before, rest = text.split(BEGIN, 1)
    return f"{before}{BEGIN}\n{short_table()}\n{END}{rest.split(END, 1)[1]}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("*", "\\*")


def _linked(source: str) -> str:
    return _ARXIV.sub(r"[arXiv \1](https://arxiv.org/abs/\1)", _cell(source))


def main(arguments: Sequence[str] = ()) -> None:
    """Writes the page and the table in the folder given, by default the current one."""
    root = Path(arguments[0] if arguments else ".")
    choose = root / CHOOSE
    updated = with_table(choose.read_text(encoding="utf-8"))
    (root / "docs" / "methods.md").write_text(page(), encoding="utf-8")
    choose.write_text(updated, encoding="utf-8")
    print(f"{root / 'docs' / 'methods.md'} and the table in {choose} are up to date")


if __name__ == "__main__":
    main(sys.argv[1:])
