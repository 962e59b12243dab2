"""The examples of `experiments/any_training`: short, and right where that can be known."""

from __future__ import annotations

import ast
import importlib
import re
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from places import ROOT
from plain_training import rows_of

import lrlab
from lrlab.optimizers.groups import matches

FOLDER = ROOT / "experiments" / "any_training"
SCRIPTS = sorted(path.stem for path in FOLDER.glob("*.py") if "\nHypothesis: " in path.read_text())
OPTIONAL = {"equinox_mlp": "equinox", "masked_text": "grain"}
SHORT = {"seeds": 1, "batch_size": 64, "progress": False, "schedule": "constant"}


@pytest.fixture
def load(monkeypatch):
    """The module of an example, imported as from its own folder, and forgotten afterwards."""
    before = set(sys.modules)

    def module(name):
        if name in OPTIONAL:
            pytest.importorskip(OPTIONAL[name])
        monkeypatch.syspath_prepend(str(FOLDER))
        return importlib.import_module(name)

    yield module
    mine = {path.stem for path in FOLDER.glob("*.py")}
    for name in mine & (set(sys.modules) - before):
        sys.modules.pop(name)


def user_lines(text: str) -> list[str]:
    """Lines of the task: imports and code, without heading, comments, empty lines, and `main`."""
    apart = set()
    for number, node in enumerate(ast.parse(text).body):
        heading = number == 0 and isinstance(node, ast.Expr)
        shown = isinstance(node, ast.If) or getattr(node, "name", "") == "main"
        future = getattr(node, "module", "") == "__future__"
        if heading or shown or future:
            apart |= set(range(node.lineno, node.end_lineno + 1))
    lines = [line.strip() for n, line in enumerate(text.splitlines(), 1) if n not in apart]
    return [line for line in lines if line and not line.startswith("#")]


@pytest.mark.parametrize("name", SCRIPTS)
def test_each_is_a_question_in_at_most_25_lines(name):
    text = (FOLDER / f"{name}.py").read_text()
    head = text.split('"""')[1]
    assert "?" in head.split("\nHypothesis")[0]
    assert all(f"\n{word}: " in head for word in ("Hypothesis", "Command", "Cost", "Result"))
    assert len(user_lines(text)) <= 25
    gallery = (ROOT / "experiments" / "README.md").read_text()
    assert f"`python experiments/any_training/{name}.py`" in gallery


def test_lines_are_counted():
    text = '"""Head."""\n\nimport a  # why\n\n# no\nx = [\n    1,\n]\n\ndef main():\n    pass\n'
    assert user_lines(text) == ["import a  # why", "x = [", "1,", "]"]


@pytest.mark.slow
def test_vae_is_judged_by_the_elbo_whatever_the_weight(load):
    result = lrlab.sweep(load("vae").make_task(), lr=[3e-3], optimizer="adam", steps=60,
                         kl=[0.5, 1.0], **SHORT)  # fmt: skip
    loss, elbo = result.final["valid_loss"][0, :, 0], result.final["valid_elbo"][0, :, 0]
    np.testing.assert_allclose(loss[1], elbo[1], rtol=1e-5, atol=1e-4)
    assert loss[0] < elbo[0] < 0.8 * result.initial["valid_elbo"][0, 0, 0]


@pytest.mark.slow
def test_diffusion_learns_to_tell_noise_from_points(load):
    result = lrlab.sweep(
        load("diffusion").make_task(), lr=[3e-3], optimizer="adam", steps=150, **SHORT
    )
    assert result.final["valid_loss"][0, 0] < 0.75 < 0.9 < result.initial["valid_loss"][0, 0]


def test_simclr_contrast_and_neighbors_by_hand(load):
    simclr = load("simclr")
    codes = np.random.default_rng(0).standard_normal((5, 2, 4))
    codes /= np.linalg.norm(codes, axis=-1, keepdims=True)
    alike = np.exp(codes[:, 0] @ codes[:, 1].T / 0.2)
    odds = np.diag(alike) ** 2 / alike.sum(0) / alike.sum(1)
    value = simclr.contrast(jnp.asarray(codes), None, {"temperature": 0.2})
    np.testing.assert_allclose(value, -np.log(odds).mean(), rtol=1e-5, atol=1e-5)
    near = [
        np.argmax([i != j and a @ b for j, b in enumerate(codes[:, 0])])
        for i, a in enumerate(codes[:, 0])
    ]
    labels = np.array([0, 1, 0, 1, 1])
    share = np.mean([labels[i] == labels[j] for i, j in enumerate(near)])
    np.testing.assert_allclose(simclr.neighbors(jnp.asarray(codes), labels), share, atol=1e-6)


@pytest.mark.slow
def test_simclr_has_two_views_and_learns(load):
    simclr = load("simclr")
    task = simclr.make_task()
    batch = jax.tree.map(lambda leaf: jnp.asarray(leaf[:6]), task.data["train"])
    views, labels = simclr.distorted(batch, jax.random.key(0))
    assert views.shape == (6, 2, 64) and (views[:, 0] != views[:, 1]).any(-1).all()
    assert (labels == batch[1]).all()
    result = lrlab.sweep(task, lr=[3e-3], optimizer="adam", steps=60, temperature=[0.2], **SHORT)
    assert result.final["valid_loss"][0, 0, 0] < 0.9 * result.initial["valid_loss"][0, 0, 0]


@pytest.mark.slow
def test_gan_has_a_rate_for_each_net(load):
    gan = load("gan")
    task = gan.make_task()
    result = lrlab.sweep(task, lr={"gen": [1e-9, 1e-3], "disc": [1e-9, 1e-3]}, steps=80,
                         eval_every=80, **SHORT)  # fmt: skip
    disc = result.history["train_loss"][-10:, :, :, 0].mean(0)
    assert disc[0, 1] < disc[0, 0] - 0.2  # against a generator that stands still
    begun, ended = (
        part["valid_energy_distance"][..., 0] for part in (result.initial, result.final)
    )
    np.testing.assert_allclose(ended[0], begun[0], rtol=1e-4, atol=1e-4)
    assert ended[1, 1] < 0.9 * begun[1, 1]


def test_the_energy_distance_of_points_to_themselves_is_none(load):
    gan = load("gan")
    state = gan.init(jax.random.key(0), {"lr": {"gen": 0.0, "disc": 0.0}})
    key = jax.random.key(1)
    fake = gan.NET.apply(state[0]["gen"], jax.random.normal(key, (50, 2)))
    value = gan.evaluate(state, fake, key)["energy_distance"]
    np.testing.assert_allclose(value, 0, atol=1e-6)
    assert gan.evaluate(state, fake + 1, key)["energy_distance"] > 0.1


def test_cartpole_moves_as_the_published_one(load):
    """Gymnasium's CartPole-v1, written out: masses 1 and 0.1, half length 0.5, force 10, 0.02 s."""

    def published(state, action):
        _, speed, angle, turn = state
        force = 10.0 if action else -10.0
        temp = (force + 0.05 * turn**2 * np.sin(angle)) / 1.1
        bend = (9.8 * np.sin(angle) - np.cos(angle) * temp) / (
            0.5 * (4 / 3 - 0.1 * np.cos(angle) ** 2 / 1.1)
        )
        push = temp - 0.05 * bend * np.cos(angle) / 1.1
        return state + 0.02 * np.array([speed, push, turn, bend])

    reinforce = load("reinforce")
    for state in np.random.default_rng(0).normal(0, 0.3, (8, 4)):
        for action in (0, 1):
            mine = reinforce.moved(jnp.asarray(state, jnp.float32), action)
            np.testing.assert_allclose(mine, published(state, action), rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_reinforce_learns_to_balance(load):
    result = lrlab.sweep(load("reinforce").make_task(), lr=[0.03], optimizer="adam", steps=25,
                         **SHORT)  # fmt: skip
    shown = result.history["valid_return"][:, 0, 0]
    assert 10 < shown[0] < 60 and shown.max() > 1.5 * shown[0]


def test_adapters_and_the_rest_are_all_of_the_transformer(load):
    lora = load("lora")
    tokens = jnp.zeros((1, 32), jnp.int32)
    params = jax.eval_shape(lora.Transformer().init, jax.random.key(0), tokens)["params"]
    paths = [
        jax.tree_util.keystr(path, simple=True, separator="/")
        for path, _ in jax.tree_util.tree_leaves_with_path(params)
    ]
    adapters, rest = matches("lora_*", paths), matches("^(?!.*lora_)", paths)
    assert adapters | rest == set(paths) and not adapters & rest
    assert len(adapters) == 12


@pytest.mark.slow
def test_adapters_leave_the_transformer_as_it_was(load):
    task = load("lora").make_task(steps=4)
    assert (np.asarray(task.params["params"]["Adapted_0"]["lora_up"]) == 0).all()
    result = lrlab.sweep(task, lr=[0.01], optimizer="adam", steps=4, keep="last", **SHORT)
    given = dict(jax.tree_util.tree_leaves_with_path(task.params["params"]))
    for path, after in jax.tree_util.tree_leaves_with_path(result.params()):
        adapter = "lora_" in jax.tree_util.keystr(path)
        assert (np.asarray(after) != np.asarray(given[path])).any() == adapter
    assert result.final["valid_loss"][0, 0] < result.initial["valid_loss"][0, 0]


@pytest.mark.slow
def test_the_motion_of_the_pendulum_has_no_residual(load):
    """The half period of the exact motion is K(sin^2(angle / 2)) x 2; the net begins as it does."""
    from scipy.special import ellipk

    pendulum = load("pendulum")
    task = pendulum.make_task()
    time, angle = task.data["valid"]["time"], task.data["valid"]["angle"]
    turn = time[np.argmin(angle)]
    np.testing.assert_allclose(turn, 2 * ellipk(np.sin(0.5) ** 2), atol=0.03)
    params = pendulum.NET.init(jax.random.key(0), jnp.zeros(1))
    speed = jax.grad(pendulum.angle, 1)(params, jnp.float32(0))
    start = pendulum.angle(params, jnp.float32(0))
    np.testing.assert_allclose([start, speed], [1.0, 0.0], atol=1e-6)
    result = lrlab.sweep(task, lr=[3e-3], optimizer="adam", steps=150, **SHORT)
    assert result.final["valid_loss"][0, 0] < 0.3 * result.initial["valid_loss"][0, 0]


def test_float16_skips_what_is_not_finite(load):
    result = lrlab.sweep(load("float16_step").make_task(), lr=[3e-3], steps=60, **SHORT)
    skipped, scale = (
        result.history["train_skipped"][:, 0, 0],
        result.history["train_scale"][:, 0, 0],
    )
    assert result.outcome[0, 0] == "ok"
    assert (scale[1:] == np.where(skipped[:-1] > 0, scale[:-1] / 2, scale[:-1])).all()
    assert result.final["valid_loss"][0, 0] < 0.7


def test_six_changed_lines_make_a_task_of_a_script(load):
    lines = load("trainstate").change()
    added = [line for line in lines if re.match(r"\+ +\S", line)]
    assert 0 < len(added) <= 6
    assert len([line for line in lines if line.startswith("-")]) <= 6
    script = (FOLDER / "trainstate_script.py").read_text()
    assert len([line for line in script.splitlines() if line.strip()]) in range(34, 45)


def test_the_script_and_its_task_train_alike(load):
    load("trainstate")
    script, mine = (
        sys.modules.get("trainstate_script") or load("trainstate_script"),
        load("trainstate_task"),
    )
    lr, steps = script.CONFIG["lr"], 12
    result = lrlab.sweep(mine.task, lr=[lr], steps=steps, **SHORT)
    state, losses = script.create(lrlab.rng.key(0, "init"), script.CONFIG), []
    for rows in rows_of(len(script.X[:1400]), 64, 0, steps):
        state, metrics = script.train_step(state, (script.TRAIN[0][rows], script.TRAIN[1][rows]))
        losses.append(metrics["loss"])
    np.testing.assert_allclose(result.history["train_loss"][:, 0, 0], losses, rtol=1e-4, atol=1e-5)
    expected = script.evaluate(state, script.VALID)
    for name, value in expected.items():
        np.testing.assert_allclose(result.final[f"valid_{name}"][0, 0], value, rtol=1e-4, atol=1e-5)


def test_an_equinox_model_trains_like_any(load):
    task = load("equinox_mlp").make_task()
    result = lrlab.sweep(task, lr=[3e-3], optimizer="adam", steps=60, keep="last", **SHORT)
    assert result.final["valid_accuracy"][0, 0] > 0.8
    assert result.params().layers[0].weight.shape == (64, 64)


@pytest.mark.slow
@pytest.mark.parametrize("name", SCRIPTS)
def test_the_whole_answer(name, load, capsys):
    load(name).main()
    said = capsys.readouterr().out
    assert re.search(r"learning rate|best guess", said)
    assert "Nothing trains" not in said


def test_masked_text_trains_on_batches_of_a_grain_loader(load):
    task = load("masked_text").make_task()
    result = lrlab.sweep(task, lr=[0.01], optimizer="adam", steps=30, seeds=1, progress=False)
    assert result.final["valid_loss"][0, 0] < 0.8 * result.initial["valid_loss"][0, 0]
