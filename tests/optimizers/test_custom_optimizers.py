"""Optimizers that users hand over: functions, finished transformations, what they may get wrong."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from few import few

import lrlab
from lrlab import config
from lrlab.config import ConfigError
from lrlab.engine.state import scheduled
from lrlab.optimizers.custom import custom
from lrlab.types import Problem

STEPS = 20
PARAMS = {"a": jnp.array([1.0, -2.0]), "b": jnp.array([0.5])}
BOWL = lrlab.Task.objective(
    "bowl",
    init=lambda key: {"a": jnp.array([1.0, -2.0]), "b": jnp.array([0.5])},
    loss=lambda params, key: sum(jnp.sum((leaf - 3) ** 2) for leaf in jax.tree.leaves(params)),
)
inject = optax.inject_hyperparams


def sweep(**arguments):
    given = {"lr": [0.1], "steps": STEPS, "seeds": 1, "schedule": "constant", "progress": False}
    return lrlab.sweep(BOWL, **{**given, **arguments})


def problems(**arguments):
    with pytest.raises(ConfigError) as found:
        sweep(**arguments)
    return found.value.problems


def by_hand(make, rates, hold):
    """The loss before each update; `hold(state, rate)` sets the rate of a state."""
    tx = optax.with_extra_args_support(make)
    loss = lambda params: BOWL.functions.loss(params, {}, None, None)[0]  # noqa: E731

    def body(carry, rate):
        params, state = carry
        value, grads = jax.value_and_grad(loss)(params)
        updates, state = tx.update(grads, hold(state, rate), params, value=value)
        return (optax.apply_updates(params, updates), state), value

    start = (PARAMS, hold(tx.init(PARAMS), rates[0]))
    return np.asarray(jax.jit(lambda r: jax.lax.scan(body, start, r)[1])(rates))


def held(state, rate):
    """Every `learning_rate` in a state set to `rate`."""
    is_one = lambda node: "hyperparams" in getattr(node, "_fields", ())  # noqa: E731

    def put(node):
        return (
            node._replace(hyperparams={**node.hyperparams, "learning_rate": rate})
            if is_one(node)
            else node
        )

    return jax.tree.map(put, state, is_leaf=is_one)


BUILT = {
    "alone": lambda: inject(optax.adam)(learning_rate=1e-3),
    "chain": lambda: optax.chain(optax.clip(1.0), inject(optax.sgd)(learning_rate=1e-3)),
    "masked": lambda: optax.masked(inject(optax.sgd)(learning_rate=1e-3), {"a": True, "b": False}),
    "multi": lambda: optax.multi_transform(
        {"x": inject(optax.adam)(learning_rate=1.0), "y": inject(optax.sgd)(learning_rate=1.0)},
        {"a": "x", "b": "y"},
    ),
    "steps": lambda: optax.MultiSteps(inject(optax.sgd)(learning_rate=1e-3), 2),
    "finite": lambda: optax.apply_if_finite(inject(optax.adam)(learning_rate=1e-3), 3),
}


@pytest.mark.parametrize("name", few(BUILT, 3))
def test_the_rate_in_a_state_is_the_scheduled_one(name):
    made = BUILT[name]()
    result = sweep(optimizer=made, schedule="cosine", schedule_args={"warmup": 0.2})
    rates = jnp.asarray(result.history["learning_rate"][:, 0, 0])
    assert rates[0] == 0 and rates[-1] < 0.01 < rates[4]
    expected = by_hand(made, rates, held)
    found = result.history["train_loss"][:, 0, 0]
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


def test_a_function_that_injects_trains_with_the_logged_rate():
    function = lambda h: inject(optax.sgd)(learning_rate=h["lr"])  # noqa: E731
    plain = sweep(optimizer="sgd", schedule="cosine", schedule_args={"warmup": 0.2})
    own = sweep(optimizer=function, schedule="cosine", schedule_args={"warmup": 0.2})
    np.testing.assert_allclose(
        own.history["train_loss"], plain.history["train_loss"], rtol=1e-5, atol=1e-6
    )
    tenth = lambda h: inject(optax.sgd)(learning_rate=0.1 * h["lr"])  # noqa: E731
    own = sweep(optimizer=tenth, lr=[1.0], schedule="cosine")
    plain = sweep(optimizer="sgd", lr=[0.1], schedule="cosine")
    np.testing.assert_allclose(
        own.history["train_loss"], plain.history["train_loss"], rtol=1e-5, atol=1e-6
    )


def test_other_hyperparameters_of_a_state_are_lane_axes():
    built = inject(optax.adamw)(learning_rate=1e-3, weight_decay=0.3)
    own = sweep(optimizer=built, weight_decay=[0.0, 0.5], schedule="cosine")
    plain = sweep(optimizer="adamw", weight_decay=[0.0, 0.5], schedule="cosine")
    np.testing.assert_allclose(
        own.history["train_loss"], plain.history["train_loss"], rtol=1e-4, atol=1e-5
    )


def test_a_finished_transformation_without_its_rate_is_refused():
    (one,) = problems(optimizer=optax.adam(1e-3))
    assert one.field == "optimizer" and 'optax.adam(hyper["lr"])' in one.message
    own = inject(optax.sgd)(learning_rate=optax.cosine_decay_schedule(0.1, STEPS))
    (one,) = problems(optimizer=own)
    assert one.field == "optimizer" and "schedule of its own" in one.message


@pytest.mark.parametrize(
    ("function", "name", "options", "axes"),
    [
        (optax.adamw, "adamw", {}, {}),
        (functools.partial(optax.adamw, weight_decay=0.1), "adamw", {"weight_decay": 0.1}, {}),
        (functools.partial(optax.sgd, learning_rate=7.0), "sgd", {}, {}),
        (optax.adamw, "adamw", {}, {"weight_decay": [0.0, 0.1]}),
        (lambda learning_rate, **rest: optax.adamw(learning_rate, **rest), "adamw", {},
         {"weight_decay": [0.0, 0.1]}),
    ],
)  # fmt: skip
def test_a_function_of_the_learning_rate_gets_it(function, name, options, axes):
    own = sweep(optimizer=function, schedule="cosine", **axes)
    plain = sweep(optimizer=name, optimizer_args=options, schedule="cosine", **axes)
    assert own.final["valid_loss"].shape == plain.final["valid_loss"].shape
    np.testing.assert_allclose(
        own.history["train_loss"], plain.history["train_loss"], rtol=1e-5, atol=1e-6
    )


def test_options_of_a_function_are_used_or_refused():
    own = sweep(optimizer=optax.sgd, optimizer_args={"momentum": 0.9})
    plain = sweep(optimizer="momentum", optimizer_args={"momentum": 0.9})
    assert np.array_equal(own.history["train_loss"], plain.history["train_loss"])
    (one,) = problems(optimizer=optax.adam, optimizer_args={"betas": 0.9})
    assert one.field == "optimizer.betas" and "did you mean 'b1', 'b2'" in one.message
    (one,) = problems(optimizer=lambda h: optax.sgd(h["lr"]), optimizer_args={"momentum": 0.9})
    assert one.field == "optimizer.momentum"


def branch(hyper):
    return optax.sgd(hyper["lr"]) if hyper["lr"] > 0.5 else optax.adam(hyper["lr"])


WRONG = {
    "missing": (lambda h: optax.adam(h["learning_rate"]), ("'learning_rate'", "did you mean 'lr'")),
    "late": (
        lambda h: optax.stateless(lambda g, p: jax.tree.map(lambda g: -h["lrs"] * g, g)),
        ("'lrs'", "There are: lr"),
    ),
    "branch": (branch, ("traced value", "jnp.where", "test_custom_optimizers.py")),
    "float": (lambda h: optax.adam(float(h["lr"])), ("traced value",)),
    "numpy": (lambda h: optax.adam(np.sqrt(h["lr"])), ("traced value",)),
    "nothing": (lambda h: None, ("this function gave None",)),
    "a function": (lambda h: optax.adam, ("this function gave <function adam",)),
    "a rate": (lambda lr: optax.sgd(lr), ("named learning_rate gets the rate",)),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_a_function_gets_wrong_is_said_before_anything_compiles(case, monkeypatch):
    from lrlab.engine import executables

    monkeypatch.setattr(executables, "replicated", lambda *a, **k: pytest.fail("it compiles"))
    function, words = WRONG[case]
    (one,) = problems(optimizer=function)
    assert one.field == "optimizer"
    assert all(word in one.message for word in words), one.message


@pytest.mark.parametrize("call", ["find", "range_test", "study"])
def test_every_entry_point_says_it(call):
    function, words = WRONG["missing"]
    more = {"study": {"axis": "steps", "values": [5, 10]}}.get(call, {})
    with pytest.raises(ConfigError) as found:
        getattr(lrlab, call)(BOWL, optimizer=function, progress=False, **more)
    assert found.value.problems[0].field == "optimizer"
    assert words[0] in found.value.problems[0].message


def test_a_comparison_says_it_of_its_last_entry_before_the_first_is_trained(monkeypatch):
    from lrlab.workflows import compare

    monkeypatch.setattr(compare, "run_find", lambda *a, **k: pytest.fail("it trains"))
    entries = {"good": {"optimizer": "sgd"}, "bad": {"optimizer": WRONG["missing"][0]}}
    with pytest.raises(ConfigError) as found:
        lrlab.compare(entries, task=BOWL, steps=STEPS, progress=False)
    assert [one.field for one in found.value.problems] == ["compare.bad.optimizer"]


def test_an_entry_of_a_comparison_keeps_its_own_name_beside_a_shared_function():
    experiment = config.from_arguments(
        "compare", task=BOWL, optimizer=branch, entries={"a": {"optimizer": "sgd"}, "b": {}}
    )
    a, b = (experiment.entries[name].optimizer for name in "ab")
    assert (a.name, a.external, b.external) == ("sgd", False, True)


def test_axes_that_nobody_reads_are_refused_by_name():
    (one,) = problems(optimizer=lambda h: optax.adam(h["lr"]), label_smoothing=[0.0, 0.5])
    assert one.field == "label_smoothing" and "read by nobody" in one.message
    (one,) = problems(optimizer=lambda h: optax.adam(h["lr"]), sedes=3)
    assert one.field == "sedes" and "did you mean 'seeds'" in one.message
    problems(optimizer=optax.adam, weight_decay=[0.0, 0.5])
    problems(optimizer="sgd", schedule=lambda step: 1.0, warmth=[0.0, 0.5])


@pytest.mark.parametrize(
    "read",
    [
        lambda h: h["beta"] + h["temp"] + h["lr2"],
        lambda h: h.get("beta", 0.0) + h.get("temp", 0.0) + h.pop("lr2"),
        lambda h: sum(value for name, value in h.items() if name != "lr"),
        lambda h: sum(dict(h).values()) - h["lr"],
        lambda h: sum({**h}.values()) - h["lr"],
    ],
)
def test_axes_that_the_optimizer_reads_are_accepted(read):
    own = sweep(
        optimizer=lambda h: optax.sgd(h["lr"] * read(h)), beta=[0.1, 0.2], temp=[0.3], lr2=[0.1]
    )
    assert own.final["valid_loss"].shape == (1, 2, 1, 1, 1)
    plain = sweep(optimizer="sgd", lr=[0.05, 0.06])
    np.testing.assert_allclose(
        own.final["valid_loss"].ravel(), plain.final["valid_loss"].ravel(), rtol=1e-4, atol=1e-6
    )


def test_only_rates_follow_the_schedule_whatever_an_axis_is_called():
    problem = Problem(
        task=BOWL.functions, optimizer=custom(optax.sgd), schedule=lambda h, k: h["lr"] * 0.5,
        steps=4, batch_size=None, num_examples=0,
    )  # fmt: skip
    now = scheduled(problem, {"lr": 1.0, "lr_x": 1.0}, jnp.int32(0))
    assert now == {"lr": 0.5, "lr_x": 1.0}
    own = sweep(optimizer=lambda h: optax.sgd(h["lr_x"] + 0 * h["lr"]), lr_x=[0.01, 0.1],
                schedule="cosine")  # fmt: skip
    plain = sweep(optimizer="sgd", lr=[0.01, 0.1])
    np.testing.assert_allclose(
        own.final["valid_loss"].ravel(), plain.final["valid_loss"].ravel(), rtol=1e-5, atol=1e-6
    )


def test_groups_and_multipliers_around_a_finished_transformation():
    built = inject(optax.sgd)(learning_rate=7.0)
    groups = {"lr": {"x": [0.1], "y": [0.01]}, "groups": {"x": "a", "y": "b"}}
    own = sweep(optimizer=built, schedule="cosine", **groups)
    plain = sweep(optimizer="sgd", schedule="cosine", **groups)
    assert set(own.history) == set(plain.history)
    factors = {"multipliers": {"a": [0.1, 1.0]}}
    pairs = [(own, plain)]
    pairs += [tuple(sweep(optimizer=one, schedule="cosine", **factors) for one in (built, "sgd"))]
    for left, right in pairs:
        np.testing.assert_allclose(
            left.history["train_loss"], right.history["train_loss"], rtol=1e-5, atol=1e-6
        )


def test_what_is_computed_from_the_rate_moves_with_it():
    def own(hyper):
        return inject(optax.adamw)(learning_rate=hyper["lr"], weight_decay=0.5 * hyper["lr"])

    def plain(hyper):
        return optax.adamw(hyper["lr"], weight_decay=0.5 * hyper["lr"])

    left, right = (sweep(optimizer=one, schedule="cosine", lr=[1.0]) for one in (own, plain))
    np.testing.assert_allclose(
        left.history["train_loss"], right.history["train_loss"], rtol=1e-4, atol=1e-5
    )


def test_extra_arguments_reach_only_what_takes_them():
    """`optax.contrib.sam` calls itself a transformation with extra arguments, and takes none."""
    sam = lambda hyper: optax.contrib.sam(optax.sgd(hyper["lr"]), optax.sgd(0.05), sync_period=2)  # noqa: E731
    result = sweep(optimizer=sam, lr=[0.1])
    tx = optax.contrib.sam(optax.sgd(0.1), optax.sgd(0.05), sync_period=2)
    loss = lambda params: sum(jnp.sum((leaf - 3) ** 2) for leaf in jax.tree.leaves(params))  # noqa: E731
    params, state, values = PARAMS, tx.init(PARAMS), []
    for _ in range(STEPS):
        value, grads = jax.value_and_grad(loss)(params)
        updates, state = tx.update(grads, state, params)
        params, values = optax.apply_updates(params, updates), [*values, value]
    found = result.history["train_loss"][:, 0, 0]
    np.testing.assert_allclose(found, values, rtol=1e-5, atol=1e-6)
