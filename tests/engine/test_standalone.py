"""A loop of one's own with the schedule and the optimizer of an answer, against the lane itself."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from few import few

import lrlab
from lrlab import rng
from lrlab.data.batches import Batches, segment_indices
from tests import tiny

STEPS = 12
CASES = {
    "adamw": {"optimizer": "adamw", "weight_decay": 0.05, "schedule": "cosine"},
    "momentum, two rates of decay": {
        "optimizer": lambda hyper: optax.chain(
            optax.add_decayed_weights(hyper["decay"]), optax.trace(0.9),
            optax.scale_by_learning_rate(hyper["lr"]),
        ),
        "decay": [0.01, 0.1],
        "schedule": "warmup_cosine",
    },
    "groups": {
        "optimizer": "sgd",
        "lr": {"first": [0.05], "second": [0.2]},
        "groups": {"first": "Dense_0*", "second": "Dense_1*"},
    },
    "polyak, which reads the loss": {"optimizer": "sps", "schedule": "constant"},
}  # fmt: skip


def task() -> lrlab.Task:
    model, (x, y) = tiny.MODELS["mlp"], tiny.data()["train"]
    return lrlab.Task.supervised(
        name="tiny", model=model, loss="softmax_cross_entropy", train=(x, y), valid=(x, y)
    )


def by_hand(method: optax.GradientTransformation, seed: int):
    """Parameters after `STEPS` updates, in plain JAX."""
    model, (x, y) = tiny.MODELS["mlp"], tiny.data()["train"]
    params = model.init(rng.key(seed, "init"), x[:1])["params"]
    state = method.init(params)
    batches = Batches(tiny.EXAMPLES, tiny.BATCH, False, False)
    rows = segment_indices(batches, seed, 0, STEPS)

    @jax.jit
    def update(params, state, batch):
        def loss_of(params):
            logits = model.apply({"params": params}, batch[0])
            return optax.softmax_cross_entropy_with_integer_labels(logits, batch[1]).mean()

        loss, grads = jax.value_and_grad(loss_of)(params)
        updates, state = optax.with_extra_args_support(method).update(
            grads, state, params, value=loss, grad=grads, value_fn=loss_of
        )
        return optax.apply_updates(params, updates), state

    for row in rows:
        params, state = update(params, state, (x[row], y[row]))
    return params


@pytest.mark.parametrize("case", few(CASES, 3))
def test_a_loop_of_ones_own_makes_the_updates_of_the_lane(case) -> None:
    options = {"lr": [0.1], **CASES[case]}
    result = lrlab.sweep(
        task(), **options, steps=STEPS, batch_size=tiny.BATCH, seeds=[3], keep="last",
        plan=lrlab.Plan(tile_width=1), progress=False,
    )  # fmt: skip
    answer = result.best()
    at = answer.details.get("at", {})
    lr = options["lr"]
    lane = {f"lr_{n}": v[0] for n, v in lr.items()} if isinstance(lr, dict) else {"lr": 0.1}
    lane |= {name: at[name] for name in ("decay",) if name in at}
    expected = result.params(**{k: v for k, v in lane.items() if k != "lr"}, lr=lane.get("lr"))
    trained = by_hand(answer.optimizer(), seed=3)
    for one, other in zip(jax.tree.leaves(trained), jax.tree.leaves(expected), strict=True):
        if case.startswith("polyak"):  # XLA sums its norms in another order
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
        else:
            np.testing.assert_array_equal(one, other)
    if not isinstance(lr, dict):
        rates = result.history["learning_rate"].reshape(STEPS, -1)[:, 0]
        schedule = jax.jit(answer.schedule())
        np.testing.assert_array_equal([schedule(step) for step in range(STEPS)], rates)
        assert schedule(10 * STEPS) == rates[-1]


def test_the_schedule_is_one_for_optax() -> None:
    result = lrlab.sweep(task(), lr=[0.1], optimizer="sgd", steps=STEPS, batch_size=tiny.BATCH,
                         seeds=1, schedule="linear", progress=False)  # fmt: skip
    schedule = result.best().schedule()
    method = optax.sgd(schedule)
    params = {"w": jnp.ones(2)}
    state, total = method.init(params), 0.0
    for step in range(STEPS):
        updates, state = method.update({"w": jnp.ones(2)}, state, params)
        total += float(schedule(step))
        np.testing.assert_allclose(updates["w"], -schedule(step), rtol=1e-6, atol=1e-9)
    assert total > 0


def test_an_answer_without_a_rate_has_neither() -> None:
    result = lrlab.sweep(task(), lr=[1e30], optimizer="sgd", steps=STEPS, batch_size=tiny.BATCH,
                         seeds=1, progress=False)  # fmt: skip
    answer = result.best()
    assert answer.lr is None
    for ask in (answer.schedule, answer.optimizer):
        with pytest.raises(ValueError, match=r"there is no rate to train with"):
            ask()
    with pytest.raises(ValueError, match=r"there is no rate to give weights of"):
        answer.params()
