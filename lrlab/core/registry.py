"""Registries: names that stand for functions, with their options, defaults and docstrings.

A registry is one table `name -> "module:function"`. What a function takes and says is read from its
source text, so that listing and checking cost no import of what is listed (`lrlab ls` does without
jax); only where a default is not a literal, or the function stands in no such module, is it
imported.
"""

from __future__ import annotations

import ast
import functools
import importlib
import importlib.util
import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from lrlab.core.errors import FieldError
from lrlab.core.synonyms import Words, did_you_mean
from lrlab.core.syntax import parsed


class Described(Protocol):
    """An entry that says more than where its function is.

    `make`: "module:function". `parameters`: its options and their defaults, None to read them from
    the function. `defaults`: options whose default is another one here. `docstring`: None to read
    the function's.
    """

    @property
    def make(self) -> str:
        """`module:function`."""
        ...

    @property
    def parameters(self) -> Mapping[str, object] | None:
        """Name -> default; None: the function's own."""
        ...

    @property
    def defaults(self) -> Mapping[str, object]:
        """Defaults in place of the function's."""
        ...

    @property
    def docstring(self) -> str | None:
        """None: the function's."""
        ...


Entry = TypeVar("Entry", bound=str | Described)


class Parameter(NamedTuple):
    """An argument of a registered function; `default` is None where there is none.

    `sequence`: it takes a list as one value, so that a list is no lane axis.
    """

    default: object
    sequence: bool
    required: bool = False


class Registry(NamedTuple, Generic[Entry]):
    """Functions of one kind by name.

    `kind`: the word for one of them, as in "schedule". `filled`: how many leading arguments lrlab
    fills in itself. `common`: what each takes besides its own options, with the defaults.
    `option`: the word for an option. `aliases`: other names -> (the name here, its own defaults).
    `name_words`, `option_words`: what other tools call them, for suggestions. `error(path,
    message)`: what is raised for an unknown name or option.

    >>> poems = Registry("poem", {"ode": "lrlab.core.registry:first_sentence"})
    >>> load(poems, "od")
    Traceback (most recent call last):
    lrlab.core.errors.FieldError: there is no poem 'od'; did you mean 'ode'? Known: ode
    >>> list(parameters(poems, "ode")), summary(poems, "ode")
    (['text'], 'The first sentence of a docstring.')
    """

    kind: str
    entries: Mapping[str, Entry]
    filled: int = 0
    common: Mapping[str, object] = {}
    option: str = "option"
    aliases: Mapping[str, tuple[str, Mapping[str, object]]] = {}
    name_words: Words = MappingProxyType({})
    option_words: Words = MappingProxyType({})
    error: Callable[[str, str], FieldError] = FieldError


def has(registry: Registry[Entry], name: object) -> bool:
    """Whether `name` is registered, or another name of what is."""
    return isinstance(name, str) and (name in registry.entries or name in registry.aliases)


def registered(registry: Registry[Entry], name: str) -> str:
    """The registered name that `name` stands for.

    Raises:
        FieldError: there is none, at `name`.
    """
    if not has(registry, name):
        raise unknown_name(registry, name)
    return name if name in registry.entries else registry.aliases[name][0]


def entry(registry: Registry[Entry], name: str) -> Entry:
    """What is registered under `name`. Raises FieldError where nothing is."""
    return registry.entries[registered(registry, name)]


def load(registry: Registry[Entry], name: str) -> Callable[..., Any]:
    """The function that `name` stands for, imported. Raises FieldError for an unknown name."""
    return _imported(_place(entry(registry, name)))


def signature(registry: Registry[Entry], name: str) -> dict[str, Parameter]:
    """Every argument of the function itself, those that lrlab fills in among them."""
    return dict(_signature(_place(entry(registry, name))))


def parameters(registry: Registry[Entry], name: str) -> dict[str, Parameter]:
    """The options of an entry: its own, then those that every one takes.

    Raises:
        FieldError: an unknown name.
    """
    one = entry(registry, name)
    explicit = None if isinstance(one, str) else one.parameters
    if explicit is None:
        own = dict(_signature(_place(one))[registry.filled :])
    else:
        own = {option: parameter(default) for option, default in explicit.items()}
    own |= {o: parameter(d) for o, d in registry.common.items() if o not in own}
    changed = {} if isinstance(one, str) else dict(one.defaults)
    changed |= registry.aliases.get(name, ("", {}))[1] if name not in registry.entries else {}
    return own | {option: parameter(default) for option, default in changed.items()}


def defaults(registry: Registry[Entry], name: str) -> dict[str, object]:
    """The options of an entry with their defaults alone; None where there is none."""
    return {option: value.default for option, value in parameters(registry, name).items()}


def parameter(default: object) -> Parameter:
    """An option of which only the default is known."""
    return Parameter(default, isinstance(default, (list, tuple)))


def docstring(registry: Registry[Entry], name: str) -> str:
    """The docstring of an entry, "" where it has none."""
    one = entry(registry, name)
    if not isinstance(one, str) and one.docstring is not None:
        return inspect.cleandoc(one.docstring)
    module, function = _place(one).split(":")
    node = definitions(module).get(function)
    text = inspect.getdoc(_imported(_place(one))) if node is None else ast.get_docstring(node)
    return text or ""


def summary(registry: Registry[Entry], name: str) -> str:
    """The first sentence of an entry's docstring."""
    return first_sentence(docstring(registry, name))


_SENTENCE_END = re.compile(r"(?<=\.)(?<!al\.)(?<!e\.g\.)(?<!i\.e\.)\s")


def first_sentence(text: str) -> str:
    r"""The first sentence of a docstring.

    >>> first_sentence("Adam (Kingma et al. 2014). Steps are\nbounded.")
    'Adam (Kingma et al. 2014).'
    """
    return _SENTENCE_END.split(" ".join(text.partition("\n\n")[0].split()))[0]


def unknown_name(registry: Registry[Entry], name: object, more: str = "") -> FieldError:
    """The error for a name that is not registered; `more`: what else is allowed."""
    every = [*registry.entries, *registry.aliases]
    hint = did_you_mean(name, every, registry.name_words, end=".")
    listed = ", ".join(registry.entries) + more
    return registry.error("name", f"there is no {registry.kind} {name!r}{hint} Known: {listed}")


def unknown_option(
    registry: Registry[Entry], name: str, option: str, accepted: Iterable[str] | None = None
) -> FieldError:
    """The error for an option that the entry does not take; `accepted`: those that it takes."""
    accepted = list(parameters(registry, name) if accepted is None else accepted)
    hint = did_you_mean(option, accepted, registry.option_words, end=".")
    what = f"{registry.kind} {name!r} has no {registry.option} {option!r}"
    return registry.error(option, f"{what}{hint} It has: {', '.join(accepted)}")


def definitions(module: str) -> dict[str, ast.FunctionDef | ast.ClassDef]:
    """The functions and classes at the top of a module, by name, from its source text."""
    kinds = (ast.FunctionDef, ast.ClassDef)
    return {node.name: node for node in source(module).body if isinstance(node, kinds)}


@functools.lru_cache(maxsize=256)
def source(module: str) -> ast.Module:
    """A module's syntax tree; the module is not imported, only the packages around it."""
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"no module {module}", name=module)
    with open(spec.origin, encoding="utf-8") as file:
        return parsed(file.read())


def _place(entry: str | Described) -> str:
    return entry if isinstance(entry, str) else entry.make


def _imported(place: str) -> Callable[..., Any]:
    module, function = place.split(":")
    return getattr(importlib.import_module(module), function)


@functools.lru_cache(maxsize=512)
def _signature(place: str) -> tuple[tuple[str, Parameter], ...]:
    module, function = place.split(":")
    node = definitions(module).get(function)
    try:
        if isinstance(node, ast.FunctionDef):
            return tuple(_literal_arguments(node))
    except ValueError:  # a default that is not a literal
        pass
    every = inspect.signature(_imported(place)).parameters.values()
    return tuple((p.name, _parameter(p.default, p.annotation, p.empty)) for p in every)


def _literal_arguments(node: ast.FunctionDef) -> Iterable[tuple[str, Parameter]]:
    args = node.args
    positional = [*args.posonlyargs, *args.args]
    absent = [None] * (len(positional) - len(args.defaults))
    defaults = [*absent, *args.defaults, *args.kw_defaults]
    for argument, default in zip([*positional, *args.kwonlyargs], defaults, strict=True):
        value = inspect.Parameter.empty if default is None else ast.literal_eval(default)
        annotation = ast.unparse(argument.annotation) if argument.annotation else ""
        yield argument.arg, _parameter(value, annotation, inspect.Parameter.empty)


def _parameter(default: object, annotation: object, empty: object) -> Parameter:
    words = ("Sequence", "tuple", "list", "Floats")
    sequence = isinstance(default, (list, tuple)) or any(w in str(annotation) for w in words)
    return Parameter(None if default is empty else default, sequence, default is empty)
