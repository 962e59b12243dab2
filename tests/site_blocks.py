"""The blocks of code of the documentation's pages, and what it means to run one."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from places import ROOT

DOCS = ROOT / "docs"

RUN = ("python", "bash", "toml", "csv")
"""Languages of blocks that are run, or written to the file that their title names. Others are for
reading: `sh` and `bat` (installing), `text` (what is printed), `console`, `pycon`, `json`."""

READ = ("sh", "bat", "text", "console", "pycon", "json", "yaml", "html", "slurm")

_FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>[\w-]*)(?P<options>[^\n`]*)\n(?P<text>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)


class Block(NamedTuple):
    """One fenced block: its language, the file that it is, if it is one, its text, and its line."""

    language: str
    title: str | None
    text: str
    line: int


def pages() -> list[str]:
    """The pages that are written by hand, relative to `docs/`."""
    return sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))


def source(page: str) -> str:
    """The Markdown of a page that is written by hand."""
    return (DOCS / page).read_text(encoding="utf-8")


def blocks(text: str) -> Iterator[Block]:
    """The fenced blocks of a page, in order."""
    for match in _FENCE.finditer(text):
        title = re.search(r'title="([^"]+)"', match["options"])
        lines = match["text"].split("\n")
        body = "\n".join(line.removeprefix(match["indent"]) for line in lines)
        number = text.count("\n", 0, match.start()) + 1
        yield Block(match["language"], title[1] if title else None, body, number)


def commands(text: str) -> Iterator[list[str]]:
    """The arguments of every `lrlab` of a block of commands; other commands are not allowed."""
    for line in text.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if not words:
            continue
        if words[0] != "lrlab":
            raise ValueError(
                f"a bash block runs lrlab alone, got {line!r}; use sh for what is read"
            )
        yield words[1:]


def run(page: str, room: Path, command: Callable[[Sequence[str]], int]) -> dict[str, object]:
    """Runs a page's blocks from top to bottom in the working folder `room`, Python in one
    namespace; `command` takes the arguments of lrlab and gives the exit status.

    Raises:
        RuntimeError: a command failed.
    """
    names: dict[str, object] = {"__name__": "page"}
    for block in blocks(source(page)):
        if block.title is not None and block.language in RUN:
            (room / block.title).parent.mkdir(parents=True, exist_ok=True)
            (room / block.title).write_text(block.text, encoding="utf-8")
        elif block.language == "python":
            code = "\n" * block.line + block.text  # so that a traceback has the page's line
            exec(compile(code, page, "exec"), names)
        elif block.language == "bash":
            for words in commands(block.text):
                if status := command(words):
                    raise RuntimeError(f"{page}:{block.line}: status {status}: lrlab {words}")
    return names
