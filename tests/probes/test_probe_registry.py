"""The contract of every registered probe, and what is refused before anything trains."""

from __future__ import annotations

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from few import few
from flax import nnx
from probed import lane_of, noisy_lane, problem_of, supervised
from quick import jit

import lrlab
from lrlab import optimizers, probes
from lrlab.cli.app import run
from lrlab.config import ConfigError
from lrlab.core import registry
from lrlab.engine.probing import check_probes
from lrlab.engine.state import LaneState
from lrlab.optimizers.states import nodes
from lrlab.probes.toy import bowl
from lrlab.types import Probe

NOT_FOR_OBJECTIVES = ("ntk", "feature_change")


SMALLER = {"gradient_flow": {"evaluations": 200}, "sharpness": {"iterations": 8, "k": 2},
           "stability": {"iterations": 8}, "ntk": {"iterations": 4}}  # fmt: skip


MAY_BE_NAN = ("noise_scale", "critical_batch_size", "flow_distance", "relative_flow_distance")


@pytest.mark.parametrize("name", probes.NAMES)
def test_first_sentence_says_what_it_costs(name) -> None:
    summary = registry.summary(probes.REGISTRY, name)
    assert re.search(r"(no|\d) gradient\s+evaluations?\.$", summary), summary
    assert "every" in registry.parameters(probes.REGISTRY, name)


@pytest.mark.parametrize("name", few(probes.NAMES, 3))
def test_any_model_any_lane(name) -> None:
    """Under `vmap`, with BatchNorm and dropout: finite scalars that do not depend on the lanes
    beside it, finite or not."""
    lane = noisy_lane()
    probe = probes.engine_probe({"name": name, **SMALLER.get(name, {})})

    def at(scale):
        return probe.measure(lane._replace(params=jax.tree.map(lambda p: p * scale, lane.params)))

    tile = jit(jax.vmap(at))
    found, again = tile(jnp.array([1.0, 0.5, jnp.nan])), tile(jnp.array([0.5, 2.0, 2.0]))
    assert found
    for key, values in found.items():
        assert values.shape == (3,), key
        assert np.isfinite(values[:2]).all() or key in MAY_BE_NAN, (key, values)
        np.testing.assert_array_equal(values[1], again[key][0], err_msg=key)


@pytest.mark.slow
def test_transformers_and_nnx() -> None:
    tokens = np.zeros((40, 6), np.int32)
    text = lrlab.Task.supervised(
        name="text", model=lrlab.models.make("transformer", 7, width=8, heads=2, depth=1),
        loss="softmax_cross_entropy", train=(tokens, tokens), valid=(tokens[:4], tokens[:4]),
    )  # fmt: skip
    for task in (text, supervised(lambda rngs: nnx.Linear(5, 3, rngs=rngs))):

        def every(task=task):
            lane = lane_of(task, updates=0)
            return {name: probes.engine_probe(name).measure(lane) for name in probes.NAMES}

        shapes = jax.eval_shape(every)
        assert all(leaf.shape == () for leaf in jax.tree.leaves(shapes))
        assert set(shapes) == set(probes.NAMES) and all(shapes.values())


@pytest.mark.parametrize("name", probes.NAMES)
def test_objectives_or_a_clean_error(name) -> None:
    probe = probes.engine_probe(name)
    if name in NOT_FOR_OBJECTIVES:
        with pytest.raises(ValueError, match="needs a model on data"):
            probe.measure(bowl([1.0]))
    else:
        assert jax.eval_shape(lambda: probe.measure(bowl([1.0, 2.0])))


CONFIG = """
lr = [0.1]
probes = [
  "sharpnes",
  {name = "sharpness", kk = 2},
  {name = "gradient", every = 0},
  "weight_norm",
  "weight_norm",
  {name = "alpha", batches = "many"},
]
[task]
name = "iris-linear"
"""


def test_mistakes_are_told_at_once_with_their_place(tmp_path, capsys) -> None:
    (tmp_path / "c.toml").write_text(CONFIG)
    assert run(["sweep", str(tmp_path / "c.toml")]) == 2
    said = capsys.readouterr().err
    for part in (
        "c.toml:4: probes.0: unknown probe 'sharpnes'; did you mean 'sharpness'?",
        "probes.1.kk: unknown option of probe 'sharpness'; did you mean 'k'?",
        "probes.2.every: must be at least 1, got 0",
        "probes.4: probe 'weight_norm' is listed twice",
        "probes.5.batches: must be a whole number",
    ):
        assert part in said


def test_what_cannot_be_measured_is_said_before_anything_trains() -> None:
    small = dict(lr=[0.1], seeds=1, steps=2, progress=False)
    with pytest.raises(ConfigError, match=r"probes\.0: probe 'ntk': an objective has no outputs"):
        lrlab.sweep("rosenbrock", probes=["ntk"], **small)
    with pytest.raises(ConfigError, match="'stability': the stability threshold of this opt"):
        lrlab.sweep("rosenbrock", optimizer="lion", probes=["stability"], **small)
    with pytest.raises(ConfigError, match="'gradient_flow': this optimizer does not follow"):
        lrlab.sweep("rosenbrock", optimizer="adam", probes=["gradient_flow"], **small)
    with pytest.raises(ConfigError, match="k is 3: it must be from 1 to the number of parameters"):
        lrlab.sweep("rosenbrock", probes=[{"name": "sharpness", "k": 3}], **small)
    with pytest.raises(ValueError, match="no probe 'sharpnes'; did you mean 'sharpness'"):
        probes.engine_probe("sharpnes")
    with pytest.raises(ValueError, match="no option 'kk'; did you mean 'k'"):
        probes.engine_probe({"name": "sharpness", "kk": 1})


def test_names_that_collide_are_refused() -> None:
    task = supervised()
    twice = (Probe("one", lambda lane: {"x": lane.step}), Probe("two", lambda lane: {"x": 1.0}))
    with pytest.raises(ValueError, match="'one' and 'two' both measure 'x'"):
        check_probes(problem_of(task)._replace(probes=twice), task.data, ("lr",))
    vector = (Probe("v", lambda lane: {"x": jnp.ones(2)}),)
    with pytest.raises(ValueError, match="probe 'v': 'x' must be a scalar"):
        check_probes(problem_of(task)._replace(probes=vector), task.data, ("lr",))


def test_states_are_found_inside_others() -> None:
    state = optimizers.make("adam", lr=0.1, clip_norm=1.0, accumulate=2, ema=0.9).init(jnp.ones(2))
    assert len(nodes(state, "nu")) == 1 and isinstance(LaneState._fields, tuple)
