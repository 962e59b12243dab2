"""Functions bound to a lane, frozen parameters, steps of one's own, against the same by hand."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from lrlab import engine, optimizers, rng
from lrlab.core.errors import FieldError
from lrlab.engine.binding import GIVEN, apart, together
from lrlab.engine.probing import check_probes
from lrlab.engine.state import frozen_shapes, lane_shapes
from lrlab.types import Lanes, Plan, Probe, Problem, TaskFunctions

STEPS = 6
X = np.linspace(-1, 1, 12, dtype=np.float32).reshape(6, 2)
Y = X @ np.array([1.0, -2.0], np.float32)


def init(key, example):
    body, head = jax.random.split(key)
    return {"body": jax.random.normal(body, (2, 3)), "head": jax.random.normal(head, (3,))}, {}


def loss(params, state, batch, key):
    x, y = batch
    return jnp.mean((jnp.tanh(x @ params["body"]) @ params["head"] - y) ** 2), (state, {})


def evaluate(params, state, data, key):
    return {"loss": loss(params, state, data, key)[0]}


def head_alone(params):
    return {name: name == "head" for name in params}


def bind(context):
    def penalized(params, state, batch, key):
        value, rest = loss(params, state, batch, key)
        return value + context.hyper["decay"] * jnp.sum(params["head"] ** 2), rest

    return TaskFunctions(init, penalized, evaluate)


def trained(task, lanes, width, data=None, rates=("lr",)):
    problem = Problem(
        task=task,
        optimizer=optimizers.engine_optimizer("sgd"),
        schedule=lambda hyper, step: hyper["lr"] * (1 - step / STEPS),
        steps=STEPS,
        batch_size=None,
        num_examples=len(X),
        splits=("valid",),
        rates=rates,
    )
    data = {"train": (X, Y), "valid": (X, Y)} if data is None else data
    record = engine.train(problem, data, lanes, Plan(width, 1, 4), eval_steps=[STEPS])
    return problem, data, {name: metric.values for name, metric in record.metrics.items()}


def lanes_of(**hyper):
    count = len(next(iter(hyper.values())))
    columns = {name: np.asarray(values, float) for name, values in hyper.items()}
    return Lanes(columns, np.zeros(count, np.int64))


def by_hand(lr, decay=0.0, given=None):
    """(training losses before each update, the loss afterwards): plain gradient steps on the head,
    the body held still."""
    params = init(rng.key(0, "init"), None)[0] if given is None else given
    body, head, losses = params["body"], params["head"], []

    def value(head):
        return loss({"body": body, "head": head}, {}, (X, Y), None)[0] + decay * jnp.sum(head**2)

    for step in range(STEPS):
        current, gradient = jax.value_and_grad(value)(head)
        losses.append(float(current))
        head = head - lr * (1 - step / STEPS) * gradient
    return losses, float(loss({"body": body, "head": head}, {}, (X, Y), None)[0])


@pytest.mark.parametrize("width", [1, 2])
def test_frozen_parameters_stay_and_are_no_part_of_a_lane(width):
    task = TaskFunctions(init, loss, evaluate, trains=head_alone)
    problem, data, metrics = trained(task, lanes_of(lr=[0.1, 0.3]), width)
    for lane, lr in enumerate((0.1, 0.3)):
        losses, final = by_hand(lr)
        np.testing.assert_allclose(metrics["train_loss"][:, lane], losses, rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(metrics["valid_loss"][-1, lane], final, rtol=1e-5, atol=1e-7)
    state = lane_shapes(problem, data, ("lr",))
    assert [leaf.shape for leaf in jax.tree.leaves(state.params)] == [(3,)]
    assert [leaf.shape for leaf in jax.tree.leaves(frozen_shapes(problem, data))] == [(2, 3)]


@pytest.mark.parametrize("width", [1, 2])
def test_given_parameters_are_where_every_lane_starts(width):
    given = {"body": np.full((2, 3), 0.5, np.float32), "head": np.ones(3, np.float32)}
    data = {"train": (X, Y), "valid": (X, Y), GIVEN: (given, {})}
    task = TaskFunctions(init, loss, evaluate, trains=head_alone)
    _, _, metrics = trained(task, lanes_of(lr=[0.1, 0.3]), width, data)
    losses, final = by_hand(0.3, given=given)
    np.testing.assert_allclose(metrics["train_loss"][:, 1], losses, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(metrics["valid_loss"][-1, 1], final, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("width", [1, 2])
def test_functions_read_the_lane_s_scalars(width):
    task = TaskFunctions(init, loss, evaluate, bind=bind, trains=head_alone)
    _, _, metrics = trained(task, lanes_of(lr=[0.2, 0.2], decay=[0.0, 0.5]), width)
    for lane, decay in enumerate((0.0, 0.5)):
        losses, final = by_hand(0.2, decay)
        np.testing.assert_allclose(metrics["train_loss"][:, lane], losses, rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(metrics["valid_loss"][-1, lane], final, rtol=1e-5, atol=1e-7)


def start(key, hyper):
    return {"x": jax.random.normal(key, (2,)), "count": jnp.zeros((), jnp.int32)}


def step(state, batch, hyper, key):
    x, y = state["x"]
    new = jnp.stack([x - hyper["lr"]["x"] * 2 * x, y - hyper["lr"]["y"] * 2 * y])
    return {"x": new, "count": state["count"] + 1}, {"loss": x**2 + y**2, "first": x}


def own_steps():
    def at_end(params, state, data, key):
        return {"loss": jnp.sum(state["x"] ** 2), "count": state["count"]}

    return TaskFunctions(init, loss, at_end, step=step, start=start)


@pytest.mark.parametrize("width", [1, 2])
def test_a_step_of_one_s_own_with_two_rates(width):
    lanes = lanes_of(lr_x=[0.1, 0.4], lr_y=[0.2, 3e30])
    _, _, metrics = trained(own_steps(), lanes, width, rates=("lr_x", "lr_y"))
    x, y = (float(value) for value in jax.random.normal(rng.key(0, "init"), (2,)))
    for update in range(STEPS):
        assert metrics["train_loss"][update, 0] == pytest.approx(x**2 + y**2, rel=1e-5)
        assert metrics["train_first"][update, 0] == pytest.approx(x, rel=1e-5)
        factor = 1 - update / STEPS
        assert metrics["learning_rate_y"][update, 0] == pytest.approx(0.2 * factor, rel=1e-6)
        x, y = x * (1 - 0.2 * factor), y * (1 - 0.4 * factor)
    assert metrics["valid_loss"][-1, 0] == pytest.approx(x**2 + y**2, rel=1e-5)
    assert metrics["valid_count"][-1, 0] == STEPS
    assert np.isnan(metrics["valid_loss"][-1, 1])  # its own numbers overflow: it diverged


def test_probes_refuse_a_step_of_one_s_own():
    problem, data, _ = trained(
        own_steps(), lanes_of(lr_x=[0.1], lr_y=[0.1]), 1, rates=("lr_x", "lr_y")
    )
    probed = problem._replace(probes=(Probe("size", lambda lane: {"size": 0.0}),))
    with pytest.raises(FieldError, match=r"Task\.custom"):
        check_probes(probed, data, ("lr_x", "lr_y"))


def test_parameters_in_bfloat16_keep_an_optimizer_state_of_theirs():
    task = TaskFunctions(init, loss, evaluate)
    problem, data, _ = trained(task, lanes_of(lr=[0.1]), 1)
    short = problem._replace(
        parameters="bfloat16", optimizer=optimizers.engine_optimizer("adam"), steps=STEPS
    )
    lanes, plan = lanes_of(lr=[0.01, 0.1], b1=[0.9, 0.8]), Plan(2, 1, 4)
    record = engine.train(short, data, lanes, plan, eval_steps=[STEPS])
    losses = record.metrics["train_loss"].values
    assert losses.dtype == np.float32 and np.isfinite(losses).all()
    dtypes = {leaf.dtype.name for leaf in jax.tree.leaves(lane_shapes(short, data, ("lr",)).params)}
    assert dtypes == {"bfloat16"}


def test_apart_and_together_are_inverse():
    params = {"body": np.zeros(2), "head": [np.ones(1), None]}
    task = TaskFunctions(
        init, loss, evaluate, trains=lambda tree: jax.tree.map(lambda leaf: leaf.size == 1, tree)
    )
    again = together(*apart(task, params))
    assert jax.tree.structure(again) == jax.tree.structure(params)
    assert optax.tree.norm(again) == 1
