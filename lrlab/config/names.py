"""What a configuration may name: the registries, and the options of what they hold."""

from __future__ import annotations

from collections.abc import Iterable

from lrlab import data, models, optimizers, probes, schedules, tasks
from lrlab.core import registry
from lrlab.core.registry import Parameter, Registry
from lrlab.core.synonyms import did_you_mean

REGISTRIES: dict[str, Registry] = {
    "tasks": tasks.REGISTRY,
    "models": models.REGISTRY,
    "data": data.REGISTRY,
    "schedules": schedules.REGISTRY,
    "optimizers": optimizers.REGISTRY,
    "probes": probes.REGISTRY,
}
"""The registries by the words of the configuration."""


def known(kind: str, name: str) -> bool:
    """Whether a configuration may name it: registered, `csv:PATH`, or `<data>-<model>`."""
    if kind == "tasks" and tasks.recipe(name) is not None:
        return True
    return registry.has(REGISTRIES[kind], _bare(kind, name))


def recipe(task: str) -> dict[str, str] | None:
    """The model and the data source of a supervised task; None for objectives and unknown names.

    >>> recipe("wine-mlp")
    {'data': 'wine', 'model': 'mlp'}
    """
    parts = tasks.recipe(task)
    return parts and {"data": parts["data"]["name"], "model": parts["model"]["name"]}


def parameters(kind: str, name: str) -> dict[str, Parameter] | None:
    """The options that `name` takes; None where there is no such name."""
    if not known(kind, name):
        return None
    if kind == "tasks":
        return tasks.parameters(name)
    return registry.parameters(REGISTRIES[kind], _bare(kind, name))


def meant(kind: str, option: str, accepted: Iterable[str]) -> str:
    """What an unknown option may have been meant as, or what has it: the end of a sentence, or "".

    >>> meant("schedules", "milestones", ["final"]), meant("optimizers", "betas", ["b1", "b2"])
    ("; schedule 'multistep' has it", "; did you mean 'b1', 'b2'? betas is written b1, b2 here")
    >>> meant("optimizers", "nesterov", ["momentum"])
    "; optimizer 'nesterov' is one of its own"
    """
    of_kind = REGISTRIES[kind]
    hint = did_you_mean(option, accepted, of_kind.option_words)
    if hint or not of_kind.option_words:
        return hint
    if option in of_kind.entries:
        return f"; {of_kind.kind} {option!r} is one of its own"
    for word in (option, *of_kind.option_words.get(option, ())):
        have = [n for n in of_kind.entries if word in registry.parameters(of_kind, n)]
        if have:
            what = "it" if word == option else f"{word!r}"
            shown = ", ".join(map(repr, have[:4])) + (", ..." if len(have) > 4 else "")
            return f"; {of_kind.kind} {shown} {'has' if len(have) == 1 else 'have'} {what}"
    return ""


def _bare(kind: str, name: str) -> str:
    """The name without what a data source reads, as in `csv:PATH`."""
    return name.partition(":")[0] if kind == "data" else name
