"""Schedules that give a rate nobody can train with are refused, with the step."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

import lrlab
from lrlab.config import ConfigError

BOWL = lrlab.Task.objective(
    "bowl", init=lambda key: jnp.ones(2), loss=lambda params, key: jnp.sum(params**2)
)
STEPS = 20
REFUSED = {
    "below 0": ({"schedule": lambda step: 1 - step / 10}, "gives -0.1 .* at step 11 of 20"),
    "nan": ({"schedule": lambda step: jnp.where(step == 7, jnp.nan, 1)}, "gives nan .* step 7 "),
    "inf": ({"schedule": lambda step: 1 / step}, "gives inf .* step 0 "),
    "last": ({"schedule": lambda step: jnp.where(step == 19, -1.0, 1)}, "gives -1 .* step 19 "),
    "too large": ({"schedule": lambda step: 10.0 ** (2 * step)}, "gives inf .* step 20 "),
    "composed": (
        {"schedule": lrlab.schedules.make("linear", 1.0, STEPS, final=-1.0)},
        "step 11 ",
    ),
    "option": ({"schedule": "linear", "schedule_args": {"final": -0.5}}, "'linear' .* step 14 "),
    "lane axis": (
        {"schedule": "linear", "schedule_args": {"final": [0.5, -0.5]}},
        "step 14 of 20, with final = -0.5",
    ),
    "list": (
        {"schedule": ["cosine", {"name": "linear", "final": -0.5}]},
        "'linear, final -0.5' gives -0.05 .* step 14 ",
    ),
}


@pytest.mark.parametrize("call", ["sweep", "find"])
@pytest.mark.parametrize("case", REFUSED)
def test_refused_with_the_step(case, call, monkeypatch):
    from lrlab.engine import programs

    monkeypatch.setattr(programs, "Replicated", lambda *a, **k: pytest.fail("it compiles"))
    arguments, message = REFUSED[case]
    steps = {"too large": 30}.get(case, STEPS)
    rates = {"lr": [0.1]} if call == "sweep" else {}
    with pytest.raises(ConfigError, match=message) as found:
        getattr(lrlab, call)(
            BOWL, optimizer="sgd", steps=steps, progress=False, **rates, **arguments
        )
    assert found.value.problems[0].field.startswith("schedule")


def test_zero_is_fine_and_so_is_rounding():
    for schedule in (
        lambda step: jnp.maximum(1 - step / 10, 0),
        lambda step: 0 * step,
        lambda step: jnp.where(step == 3, -1e-8, 1.0),
        lambda step: np.float32(1),
    ):
        result = lrlab.sweep(
            BOWL, lr=[0.1], optimizer="sgd", steps=STEPS, seeds=1, schedule=schedule,
            progress=False,
        )  # fmt: skip
        assert np.isfinite(result.final["valid_loss"]).all()


def test_a_function_takes_no_options():
    with pytest.raises(ConfigError, match="are for a registered schedule"):
        lrlab.sweep(
            BOWL, lr=[0.1], steps=STEPS, schedule=lambda step: 1.0, schedule_args={"warmup": 0.1},
            progress=False,
        )  # fmt: skip
