"""The pages of the site that are made from the code: MkDocs calls the hooks at the end.

Nothing here names a function, a key, a command or an option of lrlab that the code does not: what
is added there comes out here at the next build. Two tables hold words for readers
(`site_words.py`); a test says what is missing in them.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import sys
import types
import typing
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from pydantic import BaseModel
from pydantic_core import PydanticUndefined
from typer.cli import get_docs_for_click

sys.path.insert(0, str(Path(__file__).parent))  # MkDocs loads this file by its path

import site_notebooks
import site_words

import lrlab
from lrlab.cli.app import app
from lrlab.config import names, schema
from lrlab.core import registry

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

ROOT = Path(__file__).resolve().parents[1]
API = "reference/python"


# The public Python names.


def public_names(module: str) -> list[str]:
    """The public names of a module: its `__all__`; where it has none, what it defines, and what it
    takes from lrlab on purpose (in a package: every such import; in a file: `x as x`)."""
    loaded = importlib.import_module(module)
    if hasattr(loaded, "__all__"):
        return [name for name in loaded.__all__ if not name.startswith("_")]
    path = Path(str(loaded.__file__))
    found = list(_defined(ast.parse(path.read_text(encoding="utf-8")), path.stem == "__init__"))
    return list(dict.fromkeys(name for name in found if not name.startswith("_")))


def _defined(tree: ast.Module, package: bool) -> Iterator[str]:
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id
        elif isinstance(node, ast.Assign):
            yield from (one.id for one in node.targets if isinstance(one, ast.Name))
        elif isinstance(node, ast.ImportFrom) and str(node.module).startswith("lrlab"):
            submodules = {str(node.module)} == {"lrlab"}
            for alias in node.names:
                if alias.asname == alias.name or (package and not submodules):
                    yield alias.asname or alias.name


def modules() -> list[str]:
    """The modules that `lrlab` names as public."""
    return [f"lrlab.{name}" for name in lrlab._MODULES]


def results() -> dict[str, str]:
    """Class of `lrlab.results` -> its module: what the public functions give back."""
    found = {}
    for path in sorted((ROOT / "lrlab" / "results").glob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        named = [node.name for node in tree.body if isinstance(node, ast.ClassDef)]
        found |= {name: f"lrlab.results.{path.stem}" for name in named if name[0] != "_"}
    return found


def _module_page(module: str, members: list[str]) -> str:
    loaded = importlib.import_module(module)
    parts = [f"# {module}", _opening(loaded.__doc__ or "")]
    parts += [f"::: {place(module, name)}" for name in members]
    return "\n\n".join(parts) + "\n"


def place(module: str, name: str) -> str:
    """Where a public name is documented: one that hides the module of its name, where it is
    defined, since its path would be that module's.

    >>> place("lrlab.theory", "max_lr"), place("lrlab.theory", "catapult")
    ('lrlab.theory.max_lr', 'lrlab.theory.catapult.catapult')
    """
    if not ROOT.joinpath(*module.split("."), f"{name}.py").exists():
        return f"{module}.{name}"
    return f"{getattr(importlib.import_module(module), name).__module__}.{name}"


def _opening(docstring: str) -> str:
    """A module's docstring as Markdown, its example as a block of code."""
    text, _, example = docstring.partition("\n>>> ")
    text = re.sub(r",\n {2}(?=`)", ", ", text)  # a row of a table that continues
    return text.strip() + (f"\n\n```pycon\n>>> {example.strip()}\n```" if example else "")


def python_pages() -> dict[str, str]:
    """Path -> text of the pages of the Python reference."""
    top = list(lrlab._NAMES)
    pages = {f"{API}/lrlab.md": _module_page("lrlab", top)}
    for module in modules():
        members = public_names(module)
        if members:
            pages[f"{API}/{module.removeprefix('lrlab.')}.md"] = _module_page(module, members)
    listed = [f"::: {module}.{name}" for name, module in results().items()]
    pages[f"{API}/results.md"] = "\n\n".join([site_words.RESULTS, *listed]) + "\n"
    return pages


# The keys of a configuration.


def tables() -> dict[str, type[BaseModel]]:
    """Path -> table of the schema, found by their fields: a new table needs no line here."""
    found: dict[str, type[BaseModel]] = {"": schema.Experiment}
    waiting: list[tuple[str, type[BaseModel]]] = [("", schema.Experiment)]
    while waiting:
        path, table = waiting.pop(0)
        for key, field in table.model_fields.items():
            for inner in _models(field.annotation):
                place = f"{path}.{key}".lstrip(".")
                found[place] = inner
                waiting.append((place, inner))
    return found


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in typing.get_args(annotation):
        yield from _models(inner)


def fields() -> Iterator[tuple[str, str, Any]]:
    """(table, key, field) of every key that a user writes."""
    for path, table in tables().items():
        for key, field in table.model_fields.items():
            if key not in site_words.WRITTEN_BY_LRLAB:
                yield path, key, field


def toml_page() -> str:
    """Every key, its type, its default and what it is for."""
    parts = [site_words.TOML]
    for path, table in tables().items():
        title = f"`[{path}]`" if path else "At the top of the file"
        text = " ".join((table.__doc__ or "").split("\n\n")[0].split()) if path else ""
        rows = [
            f"| `{key}` | {_cell(type_words(field))} | {default_words(field)} | "
            f"{_cell(description(path, key))} |"
            for where, key, field in fields()
            if where == path
        ]
        head = "| key | takes | default | what it is |\n|---|---|---|---|\n"
        parts += [f"## {title}", text.partition("`: ")[2] or text, head + "\n".join(rows)]
    return "\n\n".join(part[:1].upper() + part[1:] for part in parts if part) + "\n"


def description(path: str, key: str) -> str:
    """What a key is for: the words of `site_words`, else those of an argument of that name; where
    there are none, an empty text (a test says so)."""
    words = site_words.KEYS.get(f"{path}.{key}".lstrip("."), site_words.KEYS.get(f"*.{key}"))
    return words if words is not None else "" if path else arguments().get(key, "")


def arguments() -> dict[str, str]:
    """Argument -> its text in the docstrings of the public functions."""
    found: dict[str, str] = {}
    for function in (lrlab.sweep, lrlab.find, lrlab.range_test, lrlab.study):
        lines = (inspect.getdoc(function) or "").partition("\nArgs:\n")[2].split("\n\n")[0]
        for match in re.finditer(r"^ {4}([\w, ]+): (.*(?:\n {8}.*)*)", lines, re.MULTILINE):
            for argument in match[1].split(", "):
                found.setdefault(argument, " ".join(match[2].split()))
    return found


def type_words(field: Any) -> str:
    """What a field takes, in words."""
    for alias, words in site_words.ALIASES.items():
        known = getattr(getattr(schema, alias, None), "__metadata__", ())
        if known and any(one is known[0] for one in field.metadata):
            return words
    annotation = field.annotation
    if next(_models(annotation), None) is not None:
        return "a table, or a list of them" if "list[" in str(annotation) else "a table, see below"
    parts = [one for one in typing.get_args(annotation) if one is not type(None)]
    inner = parts[0] if isinstance(annotation, types.UnionType) and len(parts) == 1 else annotation
    choices = re.findall(r"'(\w+)'", str(annotation)) if "Literal[" in str(annotation) else []
    if choices:
        return ", ".join(f'`"{one}"`' for one in choices)
    shown = inner.__name__ if isinstance(inner, type) and not typing.get_args(inner) else str(inner)
    shown = re.sub(r"list\[typing\.Annotated\[(\w+),.*", r"list[\1]", shown)
    shown = re.sub(r"(Annotated\[[\w.]+),.*", r"\1]]", shown)
    return site_words.TYPES.get(shown, shown) + _limits(field.metadata)


def _limits(metadata: Sequence[Any]) -> str:
    signs = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
    words = [
        f"{sign} {site_words.NUMBERS.get(getattr(one, name), getattr(one, name))}"
        for one in metadata
        for name, sign in signs.items()
        if hasattr(one, name)
    ]
    return f", {', '.join(words)}" if words else ""


def default_words(field: Any) -> str:
    """A default as it would be written in a file."""
    value = field.default
    if value is PydanticUndefined:
        return "must be given"
    if value is None or value in ({}, []) or isinstance(value, schema.BaseModel):
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value}`" if not isinstance(value, str) else f'`"{value}"`'


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


# The command line, and what may be named.


def command_page() -> str:
    """Every command with its arguments and options, as Typer documents them."""
    command = typer.main.get_command(app)
    context = typer.Context(command, info_name="lrlab")  # type: ignore[arg-type]
    text = get_docs_for_click(obj=command, ctx=context, name="lrlab")
    text = re.sub(r"^# `lrlab`\n\n.*?\n\n", "", text, count=1, flags=re.S)
    text = re.sub(r"^\*\*Commands\*\*:\n\n.*?(?=^## )", "", text, flags=re.S | re.M)
    text = text.replace("* `--help`: Show this message and exit.\n", "")
    text = re.sub(r"\*\*Options\*\*:\n\n(?!\*)", "", text)
    return f"{site_words.COMMANDS}\n\n{text.strip()}\n"


def names_page() -> str:
    """Everything that a configuration may name, with the options that only it has."""
    parts = [site_words.NAMES]
    for kind in names.REGISTRIES:
        of_kind = names.REGISTRIES[kind]
        listed = {name: _own_options(of_kind, name) for name in of_kind.entries}
        rows = [
            f"| `{name}` | {_cell(registry.summary(of_kind, name))} | {_cell(own)} |"
            for name, own in listed.items()
        ]
        head = "| name | what it is | options of its own, with defaults |\n|---|---|---|\n"
        if not any(listed.values()):
            rows = [row.removesuffix("  |") for row in rows]
            head = "| name | what it is |\n|---|---|\n"
        common = ", ".join(f"`{key}`" for key in of_kind.common)
        parts += [
            f"## {site_words.KINDS.get(kind, kind.capitalize())}",
            f"Each takes {common} too." if common else "",
            head + "\n".join(rows),
        ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _own_options(of_kind: registry.Registry[Any], name: str) -> str:
    own = [
        key if one.default is None else f"{key} = {_toml(one.default)}"
        for key, one in registry.parameters(of_kind, name).items()
        if key not in of_kind.common or one.default != of_kind.common[key]
    ]
    return ", ".join(f"`{one}`" for one in own)


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_toml, value))}]"
    return f'"{value}"' if isinstance(value, str) else str(value)


# Pages that stand elsewhere in the repository.


MOVED = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "experiments/README.md": "experiments.md",
    "experiments/benchmarks/README.md": "benchmarks.md",
}
"""File of the repository -> page of the site."""


def moved(path: str) -> str:
    """A page of the repository, with its links those of the site."""
    text = (ROOT / path).read_text(encoding="utf-8")
    text = re.sub(r"\]\((?:\.\./)*(?:docs/)?([\w/-]+\.(?:png|md))\)", r"](\1)", text)
    for file, page in MOVED.items():
        text = text.replace(f"]({file})", f"]({page})")
    return text


def _from_below(text: str) -> str:
    """A page of a folder in `docs`, with its links to moved pages those of the site."""
    for file, page in MOVED.items():
        text = text.replace(f"](../../{file})", f"](../{page})")
    return text


def pages() -> dict[str, Callable[[], str] | str]:
    """Path -> text of every page that is made here, or a function that gives it."""
    made: dict[str, Callable[[], str] | str] = {
        "reference/toml.md": toml_page,
        "reference/cli.md": command_page,
        "reference/names.md": names_page,
        **python_pages(),
        **{path: _from_below(text) for path, text in site_notebooks.pages(ROOT / "docs").items()},
    }
    for path, page in MOVED.items():
        made[page] = moved(path)
    return made


# What MkDocs calls.


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Puts the pages of the Python reference where the navigation says `API`."""
    listed = [{_title(path): path} for path in python_pages()]

    def filled(entry: Any) -> Any:
        if isinstance(entry, dict):
            return {key: filled(value) for key, value in entry.items()}
        if isinstance(entry, list):
            return [filled(one) for one in entry]
        return listed if entry == "API" else entry

    config.nav = filled(config.nav)
    return config


def _title(path: str) -> str:
    name = Path(path).stem
    return name if name == "lrlab" else f"lrlab.{name}"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages that are made here."""
    from mkdocs.structure.files import File

    for path, text in pages().items():
        content = text if isinstance(text, str) else text()
        files.append(File.generated(config, path, content=content))
    return files
