"""Prose decides nothing: no branch of the program depends on what a message says."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import lrlab

SOURCE = Path(lrlab.__file__).parent

OTHERS = {
    (
        "training/session.py",
        "out_of_memory",
    ): "jaxlib's error has its status in its text alone",
    ("config/layers.py", "read"): "tomllib before Python 3.14 has the line in its text alone",
    ("core/files.py", "why"): "tensorstore has the system's error number in its text alone",
    ("runs/orbax_logging.py", "of_no_thread"): "orbax logs a thread's traceback without a class",
    ("runs/orbax_logging.py", "closed_too_early"): "asyncio raises a RuntimeError like any other",
}
"""Texts of other libraries that are read, for want of anything else: (file, function) -> why."""

ERRORS = ("error", "err", "exc", "exception")
"""What an exception is called where nothing else says that it is one."""

TEXTS = ("message", "msg", "reasons", "__notes__", "__doc__")
LOOKS = ("startswith", "endswith", "find", "rfind", "index", "count", "search", "match",
         "fullmatch", "findall", "finditer")  # fmt: skip
"""Methods whose result depends on what a text says."""


PASSING = ("str", "repr", "format", "list", "tuple", "set", "sorted", "next", "iter", "any", "all")
"""Functions that give what they are given."""


def functions(tree: ast.AST, name: str = "") -> Iterator[tuple[str, list[ast.AST]]]:
    """(name of the innermost function, its own nodes), of every function and of the module."""
    own: list[ast.AST] = []
    waiting = list(ast.iter_child_nodes(tree))
    while waiting:
        node = waiting.pop(0)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield from functions(node, node.name)
            continue
        own.append(node)
        waiting += ast.iter_child_nodes(node)
    yield name, own


def exceptions(tree: ast.Module) -> set[str]:
    """The names that exceptions have anywhere in a module."""
    found = set(ERRORS)
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler) and node.name:
            found.add(node.name)
        if isinstance(node, ast.arg) and node.annotation is not None:
            written = ast.unparse(node.annotation)
            if written.split(" |")[0].endswith(("Error", "Exception")):
                found.add(node.arg)
    return found


def words(node: ast.AST, errors: set[str], texts: set[str]) -> bool:
    """Whether an expression is, or is made of, a message or the name of a class. What a function
    makes of a message is its own business."""
    if isinstance(node, ast.Name):
        return node.id in texts or node.id in TEXTS
    if isinstance(node, ast.Call):
        called = ast.unparse(node.func)
        if isinstance(node.func, ast.Attribute) and node.func.attr == "getMessage":
            return True
        if called in ("str", "repr", "format") and any(_is_error(arg, errors) for arg in node.args):
            return True
        inside = node.args if called in PASSING else []
        made_of = node.func.value if isinstance(node.func, ast.Attribute) else None
        return any(words(part, errors, texts) for part in (made_of, *inside) if part is not None)
    if isinstance(node, ast.Attribute):
        if node.attr in TEXTS or (node.attr in ("args", "text") and _is_error(node.value, errors)):
            return True
        if node.attr == "__name__":
            inner = ast.unparse(node.value)
            return inner.startswith("type(") or inner.endswith(".__class__")
    if isinstance(node, ast.FormattedValue) and _is_error(node.value, errors):
        return True
    return any(words(part, errors, texts) for part in ast.iter_child_nodes(node))


def _is_error(node: ast.AST, errors: set[str]) -> bool:
    return isinstance(node, ast.Name) and node.id in errors


def bound(nodes: list[ast.AST], errors: set[str]) -> set[str]:
    """The variables of a function that hold messages, or what was made of them."""
    texts: set[str] = set()
    while True:
        before = len(texts)
        for node in nodes:
            pairs: list[tuple[ast.expr, ast.expr]] = []
            if isinstance(node, ast.Assign):
                pairs = [(target, node.value) for target in node.targets]
            elif isinstance(node, (ast.AnnAssign, ast.AugAssign, ast.NamedExpr)) and node.value:
                pairs = [(node.target, node.value)]
            elif isinstance(node, (ast.For, ast.comprehension)):
                pairs = [(node.target, node.iter)]
            for target, value in pairs:
                if isinstance(target, ast.Name) and words(value, errors, texts):
                    texts.add(target.id)
        if len(texts) == before:
            return texts


def decisions(tree: ast.Module) -> Iterator[tuple[str, int, str]]:
    """(function, line, text) of what looks into a message: comparisons, searches, `match`."""
    errors = exceptions(tree)
    for name, nodes in functions(tree):
        texts = bound(nodes, errors)
        for node in nodes:
            looked: list[ast.AST] = []
            if isinstance(node, ast.Compare):
                plain = all(isinstance(op, (ast.Is, ast.IsNot)) for op in node.ops)
                looked = [] if plain else [node.left, *node.comparators]
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                looked = [node.func.value, *node.args] if node.func.attr in LOOKS else []
            elif isinstance(node, ast.Match):
                looked = [node.subject]
            if any(words(part, errors, texts) for part in looked):
                yield name, node.lineno, ast.unparse(node)  # type: ignore[attr-defined]


def patches(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """(line, text) of attributes that are set on an exception from outside of its class."""
    errors = exceptions(tree)
    for node in ast.walk(tree):
        changed = None
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            changed = node.value
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "setattr":
            changed = node.args[0]
        if isinstance(changed, ast.Name) and changed.id in errors:
            yield node.lineno, ast.unparse(node)


def modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(SOURCE.rglob("*.py")):
        yield path.relative_to(SOURCE).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def test_no_branch_depends_on_a_message() -> None:
    """Errors have fields and classes, a plan says by a field where its width is from."""
    found, used = [], set()
    for file, tree in modules():
        for function, line, text in decisions(tree):
            used.add((file, function))
            if (file, function) not in OTHERS:
                found.append(f"{file}:{line}: {function}: {text}")
    assert found == []
    assert used == set(OTHERS), "an exception that nobody needs any more"


def test_nothing_is_put_on_an_exception_from_outside() -> None:
    assert [f"{file}: {one}" for file, tree in modules() for one in patches(tree)] == []


@pytest.mark.parametrize(
    "text",
    [
        'if "given" in str(error): pass',
        'if "no" in f"{error}": pass',
        "if str(error).splitlines()[0] == other: pass",
        "if type(error).__name__ in known: pass",
        'if error.__class__.__name__ == "Abort": pass',
        'found = re.search("at line", str(error))',
        'if any("given" in why for why in plan.reasons): pass',
        'own = [name for name in names if name in error.args[0]]',
        'bad = item.message.startswith("unknown ")',
        "match type(error).__name__:\n    case 'DataError': pass",
        'message = str(error)\nif message.startswith("no"): pass',
        'try: pass\nexcept ValueError as what:\n    if "no" in str(what): pass',
        "def named(given: ValueError) -> bool:\n    return repr(key) in str(given)",
        "def named(message: str) -> bool:\n    return message.startswith(table)",
    ],
)  # fmt: skip
def test_what_looks_into_a_message_is_seen(text: str) -> None:
    assert len(list(decisions(ast.parse(text)))) == 1


@pytest.mark.parametrize(
    "text",
    [
        "raise ValueError(f'{name}: {error}') from error",
        "if error.errno == 28: pass",
        'if name.startswith("lr"): pass',
        "message = str(error) or type(error).__name__",
        "if error is None or message is None: pass",
        "if isinstance(error, FieldError) and error.path[:1] == ('optimizer',): pass",
        "first = (str(error).splitlines() or [''])[0][:200]",
    ],
)
def test_what_only_says_a_message_is_fine(text: str) -> None:
    assert list(decisions(ast.parse(text))) == []


def test_what_is_put_on_an_exception_is_seen() -> None:
    text = "try: pass\nexcept OSError as what:\n    what.run = 1\nsetattr(error, 'run', 2)"
    assert sorted(line for line, _ in patches(ast.parse(text))) == [3, 4]
