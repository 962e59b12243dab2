"""A training step of one's own, against the same by hand."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from flax.training.train_state import TrainState
from plain_training import rows_of, scanned

import lrlab
from lrlab import rng
from lrlab.core.errors import ConfigError

STEPS, BATCH = 10, 8
RANDOM = np.random.default_rng(8)
X = RANDOM.standard_normal((44, 5)).astype(np.float32)
Y = (X[:, 0] > 0).astype(np.int32)
NET = nn.Dense(2)


def error(params, batch):
    logits = NET.apply({"params": params}, batch[0])
    return optax.softmax_cross_entropy_with_integer_labels(logits, batch[1]).mean()


def started(key, hyper):
    tx = optax.inject_hyperparams(optax.adam)(learning_rate=0.0)
    params = NET.init(key, X[:1])["params"]
    return TrainState.create(apply_fn=NET.apply, params=params, tx=tx)


def stepped(state, batch, hyper, key):
    value, grads = jax.value_and_grad(error)(state.params, batch)
    state.opt_state.hyperparams["learning_rate"] = hyper["lr"]
    return state.apply_gradients(grads=grads), {"loss": value, "size": optax.global_norm(grads)}


def evaluated(state, batch, key):
    return {"loss": error(state.params, batch)}


def task(**more):
    options = {"init": started, "step": stepped, "evaluate": evaluated, "name": "mine"}
    options |= {"train": (X, Y), "valid": (X[:21], Y[:21])}
    return lrlab.Task.step(**{**options, **more})


def sweep(of, **more):
    options = {"lr": [0.03, 0.3], "schedule": "cosine", "seeds": 2}
    options |= {"steps": STEPS, "batch_size": BATCH, "progress": False}
    return lrlab.sweep(of, **{**options, **more})


def by_hand(lr, seed):
    state = started(rng.key(seed, "init"), None)
    schedule = optax.cosine_decay_schedule(1.0, STEPS)

    def step(carry, batch, key, lr):
        count, state = carry
        state, metrics = stepped(state, batch, {"lr": lr * schedule(count)}, key)
        return (count + 1, state), metrics["loss"]

    rows = rows_of(len(X), BATCH, seed, STEPS)
    (_, state), losses = scanned(step, (jnp.zeros((), jnp.int32), state), (X, Y), rows, seed, lr)
    return state, losses


def test_a_lane_is_the_run_by_hand():
    result = sweep(task(), plan=lrlab.Plan(tile_width=1))
    for place, lr in enumerate(result.lr):
        for column, seed in enumerate(result.seeds):
            state, losses = by_hand(lr, int(seed))
            mine = result.history["train_loss"][:, place, column]
            np.testing.assert_allclose(mine, losses, rtol=1e-5, atol=1e-7)
            held = float(error(state.params, (X[:21], Y[:21])))
            at_end = result.final["valid_loss"][place, column]
            np.testing.assert_allclose(at_end, held, rtol=1e-5, atol=1e-6)
    assert "train_size" in result.history


def test_hyper_may_be_handed_on_to_jitted_functions():
    inner = jax.jit(lambda state, batch, hyper, key: stepped(state, batch, hyper, key))
    plain, jitted = sweep(task()), sweep(task(step=inner))
    np.testing.assert_allclose(
        jitted.history["train_loss"], plain.history["train_loss"], rtol=1e-5, atol=1e-7
    )
    rates = lrlab.Task.step(
        init=lambda key, hyper: 1.0,
        step=jax.jit(lambda s, b, hyper, k: (s - hyper["lr"]["a"] * hyper["beta"], {"loss": s})),
    )
    result = lrlab.sweep(
        rates, lr={"a": [0.1], "b": [0.2]}, beta=[2.0], schedule="constant", steps=2, seeds=1,
        progress=False,
    )  # fmt: skip
    np.testing.assert_allclose(result.history["train_loss"].ravel(), [1.0, 0.8], atol=1e-6)
    unknown = jax.jit(lambda s, b, hyper, k: (s * hyper["gamma"], {"loss": s}))
    with pytest.raises(ConfigError, match=r"reads hyper\['gamma'\]"):
        lrlab.sweep(lrlab.Task.step(init=lambda key, hyper: 1.0, step=unknown), lr=[0.1], steps=2)


def test_sums_and_weights_are_exact_over_parts():
    def summed(state, batch, key):
        logits = NET.apply({"params": state.params}, batch[0])
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, batch[1])
        return {"loss": losses.sum()}, {"loss": len(losses)}

    whole, parts = sweep(task()), sweep(task(evaluate=summed))
    np.testing.assert_allclose(
        parts.history["valid_loss"], whole.history["valid_loss"], rtol=1e-5, atol=1e-7
    )


def test_several_rates_are_a_dict_by_name_and_each_is_scheduled():
    def two(state, batch, hyper, key):
        gen, disc = state["gen"] - hyper["lr"]["gen"], state["disc"] - hyper["lr"]["disc"]
        metrics = {"loss": (gen - 1) ** 2, "gen": hyper["lr"]["gen"], "disc": hyper["lr"]["disc"]}
        return {"gen": gen, "disc": disc}, metrics

    both = lrlab.Task.step(
        init=lambda key, hyper: {"gen": jnp.zeros(()), "disc": hyper["lr"]["disc"]}, step=two
    )
    rates = {"gen": [0.1, 0.2], "disc": [0.3, 0.4, 0.5]}
    result = lrlab.sweep(both, lr=rates, schedule="linear", steps=4, seeds=1, progress=False)
    assert result.history["train_loss"].shape == (4, 2, 3, 1)
    factors = result.history["train_gen"][:, 0, 0, 0] / 0.1
    for place, rate in enumerate(rates["disc"]):
        shown = result.history["train_disc"][:, 0, place, 0]
        np.testing.assert_allclose(shown, rate * factors, rtol=1e-5, atol=1e-7)


def test_an_nnx_model_and_optimizer_by_split_and_merge():
    def start(key, hyper):
        model = nnx.Linear(5, 2, rngs=nnx.Rngs(key))
        tx = optax.inject_hyperparams(optax.sgd)(learning_rate=0.0)
        return nnx.split((model, nnx.Optimizer(model, tx, wrt=nnx.Param)))

    def step(state, batch, hyper, key):
        model, optimizer = nnx.merge(*state)
        optimizer.opt_state.hyperparams["learning_rate"][...] = hyper["lr"]

        def loss(model):
            logits = model(batch[0])
            return optax.softmax_cross_entropy_with_integer_labels(logits, batch[1]).mean()

        value, grads = nnx.value_and_grad(loss)(model)
        optimizer.update(model, grads)
        return nnx.split((model, optimizer)), {"loss": value}

    mine = lrlab.Task.step(init=start, step=step, train=(X, Y))
    result = sweep(mine)
    losses = result.history["train_loss"]
    assert np.isfinite(losses).all() and losses[-3:, 1].mean() < losses[:3, 1].mean()


def test_random_keys_and_numbers_may_be_state():
    def step(state, batch, hyper, key):
        new, draw = jax.random.split(state["key"])
        value = state["w"] ** 2 + 0.01 * jax.random.normal(draw)
        after = {"key": new, "count": state["count"] + 1, "w": state["w"] * (1 - hyper["lr"])}
        return after, {"loss": value, "count": state["count"]}

    mine = lrlab.Task.step(
        init=lambda key, hyper: {"key": key, "count": 0, "w": 1.0}, step=step, name="walk"
    )
    result = lrlab.sweep(mine, lr=[0.1, 0.2], steps=5, progress=False)
    assert (result.history["train_count"][:, 0, 0] == np.arange(5)).all()


def test_what_is_not_finite_at_the_start_does_not_say_diverged():
    def init(key, hyper):
        return {"w": jnp.ones(2), "most": -jnp.inf, "seen": jnp.array([0.0, jnp.nan])}

    def step(state, batch, hyper, key):
        w = state["w"] - hyper["lr"] * 2 * state["w"]
        loss = (state["w"] ** 2).sum()
        quiet = jnp.where(jnp.isfinite(loss), loss, 0.0)
        most = jnp.maximum(state["most"], quiet)
        return {"w": w, "most": most, "seen": state["seen"]}, {"loss": quiet}

    def evaluate(state, batch, key):
        return {"loss": state["w"].sum()}

    task = lrlab.Task.step(name="most", init=init, step=step, evaluate=evaluate)
    result = lrlab.sweep(task, lr=[0.1, 1e9], seeds=1, steps=6, schedule="constant", progress=False)
    assert result.outcome.tolist() == [["ok"], ["diverged"]]
    assert result.state(lr=0.1)["most"] == 2.0


def test_a_lane_diverges_by_its_state_or_its_loss():
    def step(state, batch, hyper, key):
        after = state * (1 + 1e12 * hyper["lr"])
        return after, {"own": jnp.minimum(jnp.abs(state), 1.0)}

    mine = lrlab.Task.step(init=lambda key, hyper: 1.0, step=step, loss="own")
    options = {"schedule": "constant", "steps": 9, "seeds": 1, "progress": False}
    result = lrlab.sweep(mine, lr=[0.0, 1.0], **options)
    assert (result.diverged_at >= 0).tolist() == [[False], [True]]


def leaking(key, hyper):
    params = NET.init(key, X[:1])["params"]
    return TrainState.create(apply_fn=NET.apply, params=params, tx=optax.adam(hyper["lr"]))


def updated(state, batch, hyper, key):
    value, grads = jax.value_and_grad(error)(state.params, batch)
    return state.apply_gradients(grads=grads), {"loss": value}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"init": leaking, "step": updated}, "static part holds a value that JAX traces.*inject"),
        ({"step": lambda s, b, h, k: (s.params, {"loss": 0.0})}, "changes the state's structure"),
        ({"step": lambda s, b, h, k: s}, r"step gave TrainState, expected \(state, metrics\)"),
        ({"step": lambda s, b, h, k: (s, {"other": 0.0})}, "no metric 'loss'.*it gave other"),
        ({"step": lambda s, b, h, k: (s, {"loss": b[0]})}, r"float32\[8, 5\], expected one real"),
        ({"step": lambda s, b, h, k: (s, {"loss": h["beta"]})}, r"reads hyper\['beta'\]"),
        ({"init": lambda k, h: {"f": max}}, "holds builtin_function_or_method at f"),
        (
            {"step": lambda s, b, h: s},
            r"step is called with \(state, batch, hyper, key\), and takes",
        ),
        ({"evaluate": None}, "held-out data need evaluate"),
        ({"evaluate": lambda s, b, k: 1.0}, "evaluate gave float, expected a dict"),
        ({"loss": "size", "step": lambda s, b, h, k: (s, {"loss": 0.0, "size": 0.0})}, "beside"),
    ],
)
def test_what_is_wrong_is_named(change, words):
    with pytest.raises(ValueError, match=words):
        sweep(task(**change))


def test_evaluate_without_valid_data_may_want_none():
    def step(w, batch, hyper, key):
        return w - hyper["lr"] * w, {"loss": (w**2).sum()}

    def sweep(evaluate):
        task = lrlab.Task.step(init=lambda key, hyper: jnp.ones(2), step=step, evaluate=evaluate,
                               train=(X, Y))  # fmt: skip
        return lrlab.sweep(task, lr=[0.1], steps=2, batch_size=BATCH, seeds=1, progress=False)

    assert sweep(lambda w, batch, key: {"loss": (w**2).sum()}).final["valid_loss"].shape == (1, 1)
    with pytest.raises(ConfigError, match=r"evaluate fails .*None for a batch, as valid= was not"):
        sweep(lambda w, batch, key: {"loss": (batch[0] ** 2).sum()})


def test_a_dtype_that_changes_is_named_with_its_path():
    mine = lrlab.Task.step(
        init=lambda key, hyper: {"n": 0}, step=lambda s, b, h, k: ({"n": h["lr"]}, {"loss": 0.0})
    )
    with pytest.raises(ConfigError, match=r"n int32\[\] -> float32\[\]"):
        lrlab.sweep(mine, lr=[0.1], steps=2, progress=False)


@pytest.mark.parametrize(
    "option",
    [
        {"optimizer": "adam"},
        {"multipliers": {"kernel": 2.0}},
        {"probes": ["sharpness"]},
    ],
)
def test_what_is_a_step_s_own_business_is_refused(option):
    with pytest.raises(ConfigError, match=r"of its own|of one's own"):
        sweep(task(), **option)


@pytest.mark.slow
def test_find_range_test_resume_and_reading_back(tmp_path):
    options = {"batch_size": BATCH, "seeds": 2, "progress": False}
    answer = lrlab.find(task(), steps=30, budget=8, out=tmp_path / "a", **options)
    again = lrlab.find(task(), steps=30, budget=8, out=tmp_path / "a", **options)
    assert answer.lr == again.lr and answer.interval == again.interval
    assert np.isfinite(lrlab.range_test(task(), num_steps=50, **options).loss).any()


def test_the_state_comes_back_as_init_gives_it(tmp_path):
    options = {"plan": lrlab.Plan(tile_width=1), "keep": "last"}
    result = sweep(task(), **options, out=tmp_path / "run")
    state = result.state(lr=0.3, seed=1)
    assert isinstance(state, TrainState) and int(state.step) == STEPS
    last, _ = by_hand(0.3, 1)
    np.testing.assert_allclose(state.params["kernel"], last.params["kernel"], rtol=1e-4, atol=1e-6)
    loaded = lrlab.load(tmp_path / "run").state(lr=0.3, seed=1)
    np.testing.assert_array_equal(loaded["params"]["kernel"], state.params["kernel"])
    answer = result.best()
    assert isinstance(answer.params(seed=0), TrainState)
    assert float(answer.schedule()(0)) == pytest.approx(answer.lr)
    with pytest.raises(ValueError, match="has its own optimizer"):
        answer.optimizer()


@pytest.mark.parametrize(
    "option",
    [{"weight_decay": [0.0, 1.0]}, {"init_scale": [1.0, 5.0]}, {"ema": 0.9}, {"foo": [1.0]}],
)
def test_what_a_step_does_not_read_is_refused(option):
    with pytest.raises(ConfigError, match=r"read by nobody.*own step"):
        sweep(task(), **option)
