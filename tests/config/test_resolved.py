"""What an experiment comes to: axes by kind, groups, steps, text and digest."""

from __future__ import annotations

from pathlib import Path

from configurations import GOOD, further_axes, rate_axes, said, write

from lrlab import config
from lrlab.config.lanes import values


def test_steps_or_epochs(tmp_path: Path) -> None:
    assert "not both" in said(tmp_path, "epochs = 3\n" + GOOD)["epochs"]
    experiment = config.load(write(tmp_path, GOOD), ["epochs=3"], "sweep")
    assert (experiment.steps, experiment.epochs) == (None, 3.0)
    assert config.total_steps(None, experiment.epochs, 64, 1000) == 3 * (1000 // 64)
    resolved = config.resolve(config.load(write(tmp_path, GOOD), command="sweep"))
    assert config.total_steps(resolved.steps, resolved.epochs, 64, 1000) == 200


def test_lane_axes_in_order(tmp_path: Path) -> None:
    text = "init_scale = [0.5, 1.0]\n" + GOOD + "[schedule]\nfinal = {linear = [0.0, 0.2, 3]}\n"
    experiment = config.load(write(tmp_path, text), command="sweep")
    assert further_axes(experiment) == {"init_scale": (0.5, 1.0), "final": (0.0, 0.1, 0.2)}
    assert config.resolve(experiment).schedule_args == {}
    listed = GOOD + "[schedule]\nname = 'multistep'\nmilestones = [0.2, 0.4]\n"
    experiment = config.load(write(tmp_path, listed), command="sweep")
    assert further_axes(experiment) == {}  # a list by nature
    assert config.resolve(experiment).schedule_args == {"milestones": [0.2, 0.4]}


def test_loose_axes_are_hyperparameters_of_the_optimizer(tmp_path: Path) -> None:
    text = "momentum = [0.0, 0.9]\nweight_decay = 0.01\n" + GOOD
    experiment = config.load(write(tmp_path, text), command="sweep")
    assert further_axes(experiment) == {"momentum": (0.0, 0.9)}
    assert config.resolve(experiment).fixed == {"weight_decay": 0.01}
    assert "unknown key" in said(tmp_path, text, "optimizer.name=adam")["momentum"]
    twice = said(tmp_path, text, "optimizer.momentum=0.5")
    assert "already given by axes.momentum" in twice["optimizer.momentum"]


def test_groups(tmp_path: Path) -> None:
    text = GOOD.replace("lr = {log = [1e-3, 1.0, 4]}", "lr = {hidden = [0.1, 0.2], readout = 0.3}")
    text += "[groups]\nhidden = 'hidden'\nreadout = 'readout'\n"
    experiment = config.load(write(tmp_path, text), command="sweep")
    assert rate_axes(experiment) == {"lr_hidden": (0.1, 0.2), "lr_readout": (0.3,)}
    assert config.load(write(tmp_path, config.dumps(experiment)), command="sweep") == experiment


def test_dumps_round_trips(tmp_path: Path) -> None:
    settings = ["task.data.split_seed=3", "plan.tile_width=8", "seeds=4", "name=a \u00b5 b"]
    experiment = config.load(write(tmp_path, GOOD), settings, "sweep")
    again = config.load(write(tmp_path, config.dumps(experiment), "again.toml"), command="sweep")
    assert again == experiment
    assert config.digest(again) == config.digest(experiment)


def test_digest_is_about_what_is_trained(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    base = config.digest(config.load(path, command="sweep"))
    same = ["plan.devices=2", "plan.segment_steps=10", "out=elsewhere", "name=x"]
    assert config.digest(config.load(path, same, "sweep")) == base
    spelled = f"lr={list(values({'log': [1e-3, 1.0, 4]}))}"
    assert config.digest(config.load(path, [spelled], "sweep")) == base
    for setting in ("steps=201", "plan.tile_width=4", "task.model.width=33", "seeds=[0]"):
        assert config.digest(config.load(path, [setting], "sweep")) != base
