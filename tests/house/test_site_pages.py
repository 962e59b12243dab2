"""The documentation's pages: their blocks run, nothing public is missing, and the site builds."""

from __future__ import annotations

import doctest
import importlib
import json
import re
import tomllib
from pathlib import Path

import pytest
import site_blocks
import site_notebooks
import site_pages
import site_words
from places import FIXTURES, ROOT
from site_blocks import DOCS, READ, RUN, Block, blocks, commands, pages

import lrlab
from lrlab.cli.app import PANELS, app
from lrlab.cli.app import run as command

WITH_CODE = [
    page
    for page in pages()
    if {block.language for block in blocks(site_blocks.source(page))} & set(RUN)
]
"""Pages with something to run."""

KEPT = "optax.md"
"""The page whose code another test runs, against loops by hand."""


def test_every_block_is_run_or_is_for_reading() -> None:
    for page in pages():
        for block in blocks(site_blocks.source(page)):
            where = f"{page}:{block.line}"
            assert block.language in (*RUN, *READ, "py"), where
            if block.language == "toml":
                tomllib.loads(block.text)
            if block.language == "python":
                compile(block.text, where, "exec")


def test_commands_of_the_pages_are_commands() -> None:
    known = {
        one.__name__.replace("_", "-") for panel in PANELS.values() for one in panel
    }  # as Typer names them
    known |= {group.name for group in app.registered_groups}
    found = [
        (f"{page}:{block.line}", words[0])
        for page in pages()
        for block in blocks(site_blocks.source(page))
        if block.language == "bash"
        for words in commands(block.text)
    ]
    assert len(found) > 10 and [one for one in found if one[1] not in known] == []


def test_a_block_of_other_commands_is_refused() -> None:
    assert list(commands("lrlab find 'a b.toml' \\\n --quiet  # so\n")) == [
        ["find", "a b.toml", "--quiet"]
    ]
    with pytest.raises(ValueError, match="runs lrlab alone"):
        list(commands("rm -r runs\n"))


def test_blocks_inside_lists_are_found() -> None:
    text = 'a\n\n    ```toml title="x.toml"\n    a = 1\n    ```\n\n```py\n1\n```\n'
    assert list(blocks(text)) == [
        Block("toml", "x.toml", "a = 1\n", 3),
        Block("py", None, "1\n", 7),
    ]


def test_every_key_of_a_configuration_is_told() -> None:
    """A key without words stands here: give it some in `docs/site_words.py`, or an argument's."""
    untold = [f"{table}.{key}" for table, key, _ in site_pages.fields()
              if not site_pages.description(table, key)]  # fmt: skip
    assert untold == []
    known = {f"{table}.{key}".lstrip(".") for table, key, _ in site_pages.fields()}
    last = {name.rpartition(".")[2] for name in known}
    stale = [name for name in site_words.KEYS
             if name not in known and not (name[:2] == "*." and name[2:] in last)]  # fmt: skip
    assert stale == []


def test_types_of_the_schema_are_in_words() -> None:
    page = site_pages.toml_page()
    assert "typing" not in page and "Annotated" not in page and "None" not in page
    assert "| `steps` | whole number, at least 1, at most 2^31 - 2 | `2000` |" in page
    assert '| `keep` | `"none"`, `"last"`, `"best"` |' in page


def public() -> list[str]:
    """Every public name, from `lrlab.__all__` and those of its subpackages."""
    own = [f"lrlab.{name}" for name in lrlab.__all__ if name in lrlab._NAMES]
    inner = [site_pages.place(module, name) for module in site_pages.modules()
             for name in site_pages.public_names(module)]  # fmt: skip
    return own + inner


def test_every_public_name_has_its_place() -> None:
    listed = set(re.findall(r"^::: (\S+)$", "\n".join(site_pages.python_pages().values()), re.M))
    assert len(public()) > 200 and set(public()) <= listed
    assert {"lrlab.results.study.Study", "lrlab.results.range_test.RangeTest"} <= listed
    # `__all__` of the top holds nothing else.
    assert set(lrlab.__all__) == {*lrlab._NAMES, *lrlab._MODULES, "__version__"}


def test_every_command_and_registered_name_has_its_place() -> None:
    page = site_pages.command_page()
    for panel in PANELS.values():
        for one in panel:
            assert f"## `lrlab {one.__name__.replace('_', '-')}`" in page
    listed = site_pages.names_page()
    for name in (*lrlab.optimizers.names(), *lrlab.schedules.NAMES, *lrlab.tasks.NAMES):
        assert f"| `{name}` |" in listed


def test_files_of_a_run_folder_are_told() -> None:
    page = (DOCS / "reference" / "run-folder.md").read_text("utf-8")
    for path in (FIXTURES / "format-2").iterdir():
        name = path.name + ("/" if path.is_dir() else "")
        assert f"`{name}`" in page or f"`{path.name}" in page, name
    for field in json.loads((FIXTURES / "format-2" / "run.json").read_text("utf-8")):
        assert f"`{field}`" in page, field


def test_examples_of_what_makes_the_pages() -> None:
    done = doctest.testmod(site_pages)
    assert done.attempted > 0 and done.failed == 0


@pytest.mark.slow
def test_examples_of_docstrings_are_blocks() -> None:
    pytest.importorskip("griffe", reason="pip install lrlab[docs]")
    done = doctest.testmod(importlib.import_module("site_examples"))
    assert done.attempted > 0 and done.failed == 0


COMMANDS = {
    "find": ["--set", "budget=2"],
    "sweep": ["--set", "lr=[0.1]"],
    "range-test": ["--set", "range_test.num_steps=5"],
    "plan": ["--set", "lr=[0.1]"],
}


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_json_has_the_fields_of_the_page(name, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.toml").write_text('steps = 10\nseeds = 1\ntask = "wine-linear"\n', encoding="utf-8")
    out = [] if name == "plan" else ["--out", "run"]
    assert command([name, "a.toml", "--json", *COMMANDS[name], *out]) == 0
    printed = json.loads(capsys.readouterr().out)
    page = (DOCS / "reference" / "json.md").read_text("utf-8")
    (row,) = re.findall(rf"^\| `{name}` \| (.*) \|$", page, re.MULTILINE)
    top = re.sub(r"\{[^}]*\}|\[[^\]]*\]", "", row)
    fields = re.findall(r"`(\w+)`", top)
    assert len(fields) > 2 and set(fields) <= set(printed)


def test_moved_pages_have_the_links_of_the_site() -> None:
    gallery = site_pages.moved("experiments/README.md")
    assert "](fractal.png)" in gallery and "../docs" not in gallery
    assert "](design.md)" in site_pages.moved("CONTRIBUTING.md")


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in WITH_CODE if page != KEPT])
def test_the_blocks_of_a_page_run(page, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    site_blocks.run(page, tmp_path, command)


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """The site, built as CI does."""
    mkdocs = pytest.importorskip("mkdocs.commands.build", reason="pip install lrlab[docs]")
    from mkdocs.config import load_config

    target = tmp_path_factory.mktemp("site")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        patch.setenv("NO_MKDOCS_2_WARNING", "1")
        mkdocs.build(load_config(str(ROOT / "mkdocs.yml"), site_dir=str(target), strict=True))
    return target


@pytest.mark.slow
def test_a_search_finds_every_public_name(built) -> None:
    index = json.loads((built / "search" / "search_index.json").read_text("utf-8"))
    anchors = {entry["location"].rpartition("#")[2] for entry in index["docs"]}
    assert [name for name in public() if name not in anchors] == []
    titles = " ".join(entry["title"] for entry in index["docs"])
    assert [name for name in lrlab.__all__ if name != "__version__" and name not in titles] == []


LOADS = re.compile(
    r"<(?:script|img|iframe|source|audio|video|embed)\b[^>]*\bsrc=[\"']?(?:https?:)?//"
    r"|<link\b[^>]*\bhref=[\"']?(?:https?:)?//|@import|url\([\"']?(?:https?:)?//"
)
"""What a browser fetches by itself from elsewhere."""


@pytest.mark.slow
def test_no_page_loads_anything_from_elsewhere(built) -> None:
    assert LOADS.search('<link rel=x href="https://a">') and LOADS.search("<img src=//a>")
    found = [
        f"{path.relative_to(built)}: {match[0][:90]}"
        for kind in ("html", "css")
        for path in built.rglob(f"*.{kind}")
        for match in [LOADS.search(path.read_text("utf-8"))]
        if match
    ]
    assert found == []


def test_the_notebooks_are_pages_with_what_they_gave() -> None:
    made = site_notebooks.pages(ROOT / "docs")
    assert set(made) == {"notebooks/own_flax_model.md", "notebooks/why_a_rate_diverges.md"}
    for path, text in made.items():
        name = Path(path).with_suffix(".ipynb").name
        assert text.startswith("# ") and text.count(f"({name})") == 1
        assert [link for link in re.findall(r"\(([\w./]+\.ipynb)\)", text) if link != name] == []
        assert text.count("```python") >= 6 and text.count("<img") >= 2
        assert all("alt=" in image for image in re.findall(r"<img[^>]*>", text))
