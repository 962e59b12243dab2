"""`--on` of the command line, on top of what a file says."""

from __future__ import annotations

from lrlab.config.schema import Experiment, OnSpec
from lrlab.core.errors import ConfigError, Problem
from lrlab.core.remote import LOCAL, Ray, on_top

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
    try:
        table = on_top(below, word)
    except ValueError as error:
        message = f'{error}; or "{LOCAL}" for this process'
        raise ConfigError([Problem(OPTION, None, "", message)]) from None
    on = None if table is None else OnSpec.model_validate(table)
    again = experiment.model_copy(update={"on": on})
    again._entries = {name: moved(one, word) for name, one in experiment.entries.items()}
    return again


def ray_of(experiment: Experiment) -> Ray | None:
    """The cluster that an experiment is trained on; None: this process trains.

    >>> from lrlab.config import from_arguments
    >>> ray_of(from_arguments("sweep", task="wine-mlp", lr=[0.1], on="auto")).address
    'auto'
    """
    return None if experiment.on is None else Ray(**experiment.on.model_dump())
