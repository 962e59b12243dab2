"""The experiments: told as the gallery tells them; the gradient through a whole run is exact."""

from __future__ import annotations

import re
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from places import ROOT

import lrlab

SCRIPTS = sorted(
    path.name for path in (ROOT / "experiments").glob("*.py") if "def main" in path.read_text()
)


@pytest.mark.parametrize("name", SCRIPTS)
def test_each_is_a_question_with_an_answer(name: str) -> None:
    text = (ROOT / "experiments" / name).read_text()
    head = text.split('"""')[1]
    assert "?" in head.split("\n")[0]
    assert all(f"\n{word}: " in head for word in ("Hypothesis", "Command", "Cost", "Result"))
    assert len(text.splitlines()) <= 150
    gallery = (ROOT / "experiments" / "README.md").read_text()
    assert f"python experiments/{name}" in gallery


def test_pictures_of_the_gallery_exist() -> None:
    gallery = (ROOT / "experiments" / "README.md").read_text()
    pictures = re.findall(r"\]\((\.\./docs/[^)]+)\)", gallery)
    assert len(pictures) >= 9
    assert all((ROOT / "experiments" / picture).exists() for picture in pictures)


@pytest.fixture
def unrolled(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "experiments"))
    import unrolled

    yield unrolled
    sys.modules.pop("unrolled", None)


@pytest.mark.slow
def test_gradient_through_a_run(unrolled) -> None:
    # tanh: at a kink of relu the gradient and the differences rightly disagree.
    task = lrlab.tasks.load("wine-mlp", width=4, depth=1, activation="tanh")
    loss = jax.jit(unrolled.final_loss(task, 6, 16, [0, 1], 0.9))
    rates = jnp.full(6, 0.1)
    # The same run by lrlab's own engine.
    result = lrlab.sweep(
        task, optimizer="momentum", lr=[0.1], seeds=2, steps=6,
        batch_size=16, schedule="constant", eval_every=6, progress=False,
    )  # fmt: skip
    assert float(loss(rates)) == pytest.approx(result.final["valid_loss"].mean(), rel=1e-4)
    slope = np.asarray(jax.jit(jax.grad(loss))(rates))
    for k in (0, 3, 5):
        step = 0.02 * np.eye(6, dtype=np.float32)[k]
        up, down = float(loss(rates + step)), float(loss(rates - step))
        assert slope[k] == pytest.approx((up - down) / 0.04, rel=0.01, abs=1e-3)


def test_descent_comes_back_from_divergence(unrolled) -> None:
    def loss(rates):  # least at 0.5, nothing above 2
        rate = rates[0]
        return jnp.where(rate > 2, jnp.nan, 1 + (jnp.log(rate) - np.log(0.5)) ** 2)

    for start in (0.05, 1.9, 20.0):
        _, values = unrolled.descend(loss, [start], 80, 0.5)
        assert min(v for v in values if np.isfinite(v)) < 1.01
