"""Suggestions: the usual words of PyTorch and Optax for what has another name here."""

from __future__ import annotations

from pathlib import Path

import pytest

from lrlab import config, optimizers, schedules
from lrlab.config import ConfigError
from lrlab.config.schema import Experiment
from lrlab.core.synonyms import OPTIMIZER, OPTIMIZER_NAME, SCHEDULE, SCHEDULE_NAME

OPTIONS = [
    ("optimizer", "adam", "betas", "'b1', 'b2'? betas is written b1, b2 here"),
    ("optimizer", "adam", "beta1", "'b1'?"),
    ("optimizer", "adam", "weight_deacy", "'weight_decay'?"),
    ("optimizer", "adam", "wd", "'weight_decay'?"),
    ("optimizer", "adam", "epsilon", "'eps'?"),
    ("optimizer", "adadelta", "eps_root", "'eps'?"),
    ("optimizer", "adam", "momentum", "'b1'?"),
    ("optimizer", "adam", "learning_rate", "'lr'? learning_rate is written lr here, beside"),
    ("optimizer", "sgd", "momentum", "optimizer 'momentum' is one of its own"),
    ("optimizer", "momentum", "nesterov", "optimizer 'nesterov' is one of its own"),
    ("optimizer", "reduce_on_plateau", "threshold", "'rtol'?"),
    ("schedule", "cosine", "T_max", "'steps'?"),
    ("schedule", "cosine", "eta_min", "'final'?"),
    ("schedule", "cosine", "warmup_steps", "'warmup'?"),
    ("schedule", "step", "gamma", "'rate'?"),
    ("schedule", "step", "step_size", "'every'?"),
    ("schedule", "cosine", "milestones", "schedule 'multistep' has it"),
]


@pytest.mark.parametrize(("kind", "name", "option", "hint"), OPTIONS)
def test_options_from_python_file_and_command_line(tmp_path: Path, kind, name, option, hint):
    with pytest.raises(ConfigError) as found:
        config.from_arguments(
            "find", task="wine-linear", **{kind: name, f"{kind}_args": {option: 0.1}}
        )
    assert found.value.problems[0].field == f"{kind}.{option}"
    assert hint in found.value.problems[0].message
    path = tmp_path / "a.toml"
    path.write_text(f'task.name = "wine-linear"\n{kind}.name = "{name}"\n{kind}.{option} = 0.1\n')
    with pytest.raises(ConfigError) as found:
        config.load(path)
    assert found.value.problems[0].line == 3 and hint in found.value.problems[0].message
    path.write_text(f'task.name = "wine-linear"\n{kind}.name = "{name}"\n')
    with pytest.raises(ConfigError) as found:
        config.load(path, [f"{kind}.{option}=0.1"])
    assert found.value.problems[0].file == "--set" and hint in found.value.problems[0].message


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("learning_rate", "'lr'?"),
        ("betas", "'b1', 'b2'?"),
        ("weight_deacy", "'weight_decay'?"),
        ("wd", "'weight_decay'?"),
        ("num_epochs", "'epochs'?"),
        ("warmup_steps", "'warmup'?"),
        ("milestones", ""),
    ],
)
def test_words_at_the_top_level(word, hint):
    with pytest.raises(ConfigError) as found:
        config.from_arguments("sweep", task="wine-linear", lr=[0.1], **{word: 0.1})
    assert found.value.problems[0].field == word and hint in found.value.problems[0].message


@pytest.mark.parametrize(
    ("make", "hint"),
    [
        (lambda: optimizers.make("adam", 0.1, betas=0.9), "did you mean 'b1', 'b2'"),
        (lambda: optimizers.make("adam_w", 0.1), "did you mean 'adamw'"),
        (lambda: schedules.make("cosine", 0.1, 10, eta_min=0.0), "did you mean 'final'"),
        (lambda: schedules.make("CosineAnnealingLR", 0.1, 10), "did you mean 'cosine'"),
    ],
)
def test_make_knows_them_too(make, hint):
    with pytest.raises(ValueError, match=hint):
        make()


def test_every_suggestion_is_something_there_is():
    fields = set(Experiment.model_fields)
    of_optimizers = {key for name in optimizers.names() for key in optimizers.hyperparameters(name)}
    of_schedules = {key for name in schedules.NAMES for key in schedules.parameters(name)}
    known = [
        (OPTIMIZER, of_optimizers | fields),
        (SCHEDULE, of_schedules | fields),
        (OPTIMIZER_NAME, set(optimizers.names())),
        (SCHEDULE_NAME, set(schedules.NAMES)),
    ]
    for words, there in known:
        assert {name for names in words.values() for name in names} <= there
