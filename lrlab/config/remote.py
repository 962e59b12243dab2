"""`--on` of the command line, on top of what a file says."""

from __future__ import annotations

from lrlab.config.schema import Experiment, OnSpec
from lrlab.core.errors import ConfigError, Problem
from lrlab.core.remote import LOCAL, NEAR, Ray, on_top
from lrlab.core.text import JsonObject

OPTION = "--on"
"""The option, as problems name it."""


def moved(experiment: Experiment, word: str | None) -> Experiment:
    """The experiment, and what it holds inside, trained where a word of the command line says
    (None: nothing is said): "ray", "local", "auto" or an address.

    Raises:
        ConfigError: another word.
    """
    if word is None:
        return experiment
    below = None if experiment.on is None else experiment.on.model_dump(exclude_none=True)
    on = _spec(below, word)
    again = experiment.model_copy(update={"on": on})
    again._places = {("on",): (OPTION, None), **experiment._places}
    if on is not None and word != NEAR:
        again._places["on", "address"] = OPTION, None
    again._entries = {name: moved(one, word) for name, one in experiment.entries.items()}
    return again


def ray_of(experiment: Experiment) -> Ray | None:
    """The cluster that an experiment is trained on; None: this process trains.

    >>> from lrlab.config import from_arguments
    >>> ray_of(from_arguments("sweep", task="wine-mlp", lr=[0.1], on="auto")).address
    'auto'
    """
    return None if experiment.on is None else Ray(**experiment.on.model_dump())


def named_by_option(word: str | None) -> Ray | None:
    """The cluster that a word of the command line names, where there is no file; None: this
    process.

    Raises:
        ConfigError: another word.

    >>> named_by_option("auto").address, named_by_option("local")
    ('auto', None)
    """
    on = None if word is None else _spec(None, word)
    return None if on is None else Ray(**on.model_dump())


def _spec(below: JsonObject | None, word: str) -> OnSpec | None:
    try:
        table = on_top(below, word)
    except ValueError as error:
        message = f'{error}; or "{LOCAL}" for this process'
        raise ConfigError([Problem(OPTION, None, "", message)]) from None
    return None if table is None else OnSpec.model_validate(table)
