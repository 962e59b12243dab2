"""muP: its table, its equality at the base, the coordinate check; laws from groups."""

from __future__ import annotations

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from few import few
from flax import nnx
from scipy import stats

from lrlab import models, optimizers, scaling
from lrlab.scaling import laws
from lrlab.scaling.rules import Place, factors
from lrlab.search.statistics import power_law

X = np.random.default_rng(0).normal(size=(16, 6)).astype(np.float32)
Y = np.arange(16) % 3


def net(width: int, **options) -> nn.Module:
    return models.module("mlp", 3, width=width, depth=2, **options)


@functools.lru_cache
def drawer(model):
    return jax.jit(lambda keys: jax.lax.map(lambda key: model.init(key, X)["params"], keys))


def drawn_from(model, keys):
    return drawer(model)(keys)


def losses(model, transformation, steps: int = 6, seed: int = 0) -> np.ndarray:
    """Full-batch training losses by hand, in float64."""
    x, y = np.asarray(X, np.float64), Y

    def start():
        params = model.init(jax.random.key(seed), X[:1])
        params = jax.tree.map(lambda a: jnp.asarray(a, jnp.float64), params)
        return params, transformation.init(params["params"])

    def loss_of(params):
        outputs = model.apply(params, x, True, jax.random.key(1))[0]
        return optax.softmax_cross_entropy_with_integer_labels(outputs, y).mean()

    def step(carry, _):
        params, state = carry
        loss, grads = jax.value_and_grad(loss_of)(params)
        updates, state = transformation.update(grads["params"], state, params["params"])
        return ({"params": optax.apply_updates(params["params"], updates)}, state), loss

    with jax.enable_x64(True):
        return np.asarray(jax.jit(lambda: jax.lax.scan(step, start(), None, steps)[1])())


def test_the_papers_table() -> None:
    """Yang et al. 2022, tables 3 and 8, at four times the width."""
    hidden, output = Place("hidden", 4.0, 4.0), Place("output", 4.0, 1.0)
    given = Place("input", 1.0, 4.0)
    assert factors(hidden, "adam") == (0.5, 1.0, 0.25)
    assert factors(hidden, "sgd") == (0.5, 1.0, 1.0)
    assert factors(output, "adam") == (1.0, 0.25, 1.0)
    assert factors(output, "sgd") == (1.0, 0.25, 4.0)
    assert factors(output, "adam", "init") == factors(output, "sgd", "init") == (0.25, 1.0, 0.25)
    assert factors(given, "adam") == (1.0, 1.0, 1.0)
    assert factors(given, "sgd") == (1.0, 1.0, 4.0)


@pytest.mark.parametrize(
    ("optimizer", "lr", "args"),
    few([("adam", 0.01, {"eps": 1e-30}), ("sgd", 0.3, {}), ("momentum", 0.1, {})], 1),
)
@pytest.mark.slow
def test_both_tables_train_the_same_function(optimizer: str, lr: float, args: dict) -> None:
    curves = []
    for readout in ("multiplier", "init"):
        made = scaling.mup(net(64), net(16), X, optimizer=optimizer, readout=readout)
        transformation = made.optimizer(optimizer, **args).make({"lr": lr})
        curves.append(losses(made.model, transformation))
    np.testing.assert_allclose(curves[0], curves[1], rtol=1e-5, atol=1e-6)
    standard = losses(models.as_model(net(64)), optimizers.make(optimizer, lr, **args))
    assert np.abs(curves[0] - standard).max() > 1e-3


@pytest.mark.parametrize("kind", few(["linen", "nnx"], 1))
def test_equal_to_the_standard_at_the_base(kind: str) -> None:
    class Net(nnx.Module):
        def __init__(self, rngs):
            self.a, self.b = nnx.Linear(6, 16, rngs=rngs), nnx.Linear(16, 3, rngs=rngs)

        def __call__(self, x):
            return self.b(nnx.relu(self.a(x)))

    network = net(16) if kind == "linen" else lambda rngs: Net(rngs)
    made = scaling.mup(network, network, X)
    mine = losses(made.model, made.optimizer("adam").make({"lr": 0.01}))
    plain = losses(models.as_model(network), optimizers.make("adam", 0.01))
    assert (mine == plain).all() and mine[-1] < mine[0]


@pytest.mark.slow
@pytest.mark.parametrize("name", few(["orthogonal", "lecun_uniform", "glorot_normal"], 1))
def test_any_initializer_gets_the_right_size(name: str) -> None:
    """Hidden layers: base's deviation / sqrt(growth); first and last: the base's."""
    options = {"init": name, "readout_init": name, "bias": False}
    base, wide = net(64, **options), net(256, **options)
    made = scaling.mup(wide, base, X)
    for path, growth in (("hidden_0", 1.0), ("hidden_1", 0.5), ("readout", 1.0)):
        sizes = []
        for model in (models.as_model(base), made.model):
            keys = jax.random.split(jax.random.key(7), 12)
            drawn = drawn_from(model, keys)[path]["kernel"]
            sizes.append(float(np.sqrt(np.mean(np.square(drawn)))))
        assert sizes[1] / sizes[0] == pytest.approx(growth, rel=0.05), (path, sizes)


def test_kinds_of_tensors() -> None:
    class Text(nn.Module):
        width: int

        @nn.compact
        def __call__(self, x):
            h = nn.Embed(11, self.width)(x)
            h = nn.MultiHeadDotProductAttention(4, qkv_features=self.width)(h)
            return nn.Dense(11)(nn.LayerNorm()(h))

    tokens = np.zeros((2, 5), np.int32)
    made = scaling.mup(Text(64), Text(16), tokens)
    kinds = {tensor.path: tensor for tensor in made.tensors}
    assert kinds["Embed_0/embedding"].kind == "input"
    assert kinds["Embed_0/embedding"].init == pytest.approx(2.0)  # Flax draws 1/sqrt(width)
    attention = "MultiHeadDotProductAttention_0"
    for name in ("query/kernel", "key/kernel", "value/kernel", "out/kernel"):
        tensor = kinds[f"{attention}/{name}"]
        assert (tensor.kind, tensor.fan_in, tensor.lr) == ("hidden", 4.0, 0.25)
    assert kinds[f"{attention}/query/bias"].kind == kinds["LayerNorm_0/scale"].kind == "input"
    assert kinds["Dense_0/kernel"].kind == "output" and kinds["Dense_0/bias"].kind == "fixed"
    assert "Dense_0/kernel" in str(made)


@pytest.mark.slow
def test_weight_decay_keeps_its_pull() -> None:
    """Without gradients AdamW moves every tensor by lr * decay * w, whatever its rate's factor."""
    made = scaling.mup(net(64), net(16), X)
    transformation = made.optimizer("adamw", weight_decay=0.1).make({"lr": 0.5})
    params = made.model.init(jax.random.key(0), X)["params"]
    zeros = jax.tree.map(jnp.zeros_like, params)
    updates, _ = transformation.update(zeros, transformation.init(params), params)
    for update, leaf in zip(jax.tree.leaves(updates), jax.tree.leaves(params), strict=True):
        np.testing.assert_allclose(update, -0.05 * leaf, rtol=1e-5, atol=1e-9)


def test_averages_see_the_scaled_updates() -> None:
    made = scaling.mup(net(64), net(16), X)
    transformation = made.optimizer("sgd" if made.family == "sgd" else "adam", ema=0.5).make(
        {"lr": 0.1}
    )
    params = made.model.init(jax.random.key(0), X)["params"]
    ones = jax.tree.map(jnp.ones_like, params)
    updates, state = transformation.update(ones, transformation.init(params), params)
    average = optimizers.evaluation_params(state, params)
    for a, p, u in zip(*map(jax.tree.leaves, (average, params, updates)), strict=True):
        np.testing.assert_allclose(a, p + 0.5 * u, rtol=1e-5, atol=1e-7)


@pytest.mark.slow
def test_depth() -> None:
    """Branches times depth^-1/2 in the forward pass; the rate inside likewise, with Adam alone."""
    deep, base = (models.module("mlp", 3, width=8, depth=d, residual=True) for d in (9, 3))
    residual = scaling.RESIDUAL["mlp"]
    made = scaling.mup(deep, base, X, residual=residual)
    rows = {tensor.path: tensor for tensor in made.tensors}
    assert made.depth == 4.0
    assert rows["hidden_8/kernel"][-2:] == rows["hidden_1/bias"][-2:] == (0.5, 0.5)
    assert rows["hidden_0/kernel"][-2:] == rows["readout/kernel"][-2:] == (1.0, 1.0)
    by_sgd = scaling.mup(deep, base, X, optimizer="sgd", residual=residual)
    assert {tensor.lr for tensor in by_sgd.tensors} == {1.0}
    variables = made.model.init(jax.random.key(0), X)
    layers = variables["params"]
    h = nn.relu(X @ layers["hidden_0"]["kernel"] + layers["hidden_0"]["bias"])
    for i in range(1, 9):
        h = h + 0.5 * nn.relu(h @ layers[f"hidden_{i}"]["kernel"] + layers[f"hidden_{i}"]["bias"])
    expected = h @ layers["readout"]["kernel"] + layers["readout"]["bias"]
    outputs, _ = made.model.apply(variables, X, True, jax.random.key(0))
    np.testing.assert_allclose(outputs, expected, rtol=2e-5, atol=1e-6)


@pytest.mark.slow
def test_lrlabs_own_models_have_their_branches() -> None:
    for name, x, options, base in (
        ("transformer", np.zeros((1, 8), np.int32), {"width": 8, "depth": 2, "heads": 1},
         {"depth": 1}),
        ("resnet", np.zeros((1, 8, 8), np.float32), {"channels": 4, "blocks": 2, "norm": "group"},
         {"blocks": 1}),
    ):  # fmt: skip
        make = lambda name=name, options=options, **more: models.module(  # noqa: E731
            name, 5, **{**options, **more}
        )
        made = scaling.named(make, {"name": name, **options}, base, x, "adam")
        assert made.depth == 2.0 and {t.multiplier for t in made.tensors} == {1.0, 0.5**0.5}


@pytest.mark.slow
def test_attention_is_divided_by_the_head_size() -> None:
    seen = []

    def make(**more):
        seen.append(more)
        return models.module("transformer", 5, **{"width": 16, "depth": 1, "heads": 2, **more})

    tokens = np.arange(8).reshape(1, 8) % 5
    described = {"name": "transformer", "width": 16, "heads": 2}
    scaling.named(make, described, {"width": 8}, tokens, "adam")
    assert seen == [{"head_base": 4}, {"head_base": 4, "width": 8}]
    from lrlab.models.transformer import causal_attention

    qkv = np.random.default_rng(0).normal(size=(1, 8, 48)).astype(np.float32)
    same = causal_attention(qkv, 1, head_base=16)
    np.testing.assert_allclose(same, causal_attention(qkv, 1), rtol=1e-5, atol=1e-6)
    doubled = np.concatenate([qkv[..., :16] * 2, qkv[..., 16:]], -1)
    np.testing.assert_allclose(
        causal_attention(doubled, 1, head_base=4), causal_attention(qkv, 1), rtol=1e-5, atol=1e-6
    )


@pytest.mark.slow
def test_coordinate_check_tells_the_two_apart() -> None:
    for parametrization, passes in (("mup", True), ("standard", False)):
        check = scaling.coordinate_check(
            net, X, Y, widths=(64, 256, 1024), parametrization=parametrization, lr=2.0**-8, seeds=4
        )
        assert check.passed is passes, check.sentence
        assert check.layers == ("hidden_0", "hidden_1", "readout")
        assert ("passes" if passes else "FAILS") in str(check)
    assert check.slopes["readout"] > 0.7  # Adam moves sums over n hidden units: slope 1
    assert check.plot().axes


def test_what_is_refused() -> None:
    with pytest.raises(ValueError, match="no learning-rate rule here for optimizer 'muon'"):
        scaling.mup(net(32), net(16), X, optimizer="muon")
    with pytest.raises(ValueError, match="of the adam family, 'sgd' is not one"):
        scaling.mup(net(32), net(16), X).optimizer("sgd")
    with pytest.raises(ValueError, match="has no counterpart in the base"):
        scaling.mup(net(32), nn.Dense(3), X)
    with pytest.raises(ValueError, match="needs residual branches"):
        scaling.mup(net(32), net(16), X, residual=scaling.RESIDUAL["transformer"])
    with pytest.raises(ValueError, match=r"set task.model.residual = true"):
        scaling.named(lambda **c: net(16), {"name": "mlp"}, {"depth": 1}, X, "adam")
    with pytest.raises(ValueError, match=r"inside|layers"):
        scaling.coordinate_check(lambda w: models.as_model(net(w)), X, Y, widths=(8, 16))


def group(value, lr, verdict="interior", means=(1.0, 0.4, 0.1, 0.3, 1.0), width=2.0) -> laws.Group:
    rates = None if lr is None else lr * np.array([0.01, 0.1, 1.0, 10.0, 100.0])
    return laws.Group(
        value, "standard", lr, None if lr is None else (lr / width, lr * width), verdict, "",
        np.ones(5) if rates is None else rates, np.array(means), 2.0, 15.0,
    )  # fmt: skip


def test_law_of_planted_groups() -> None:
    law = laws.law_of([group(v, 3.0 / v) for v in (16, 32, 64, 128)])
    assert law.fit is not None and law.trend == "falls"
    assert law.fit.exponent.value == pytest.approx(-1.0)
    assert law.fit.coefficient == pytest.approx(3.0)
    # sd of each log rate: log(2) or half a decade's log, whichever is more, over 1.96; no scatter.
    x = np.log([16, 32, 64, 128])
    half = np.log(10) / 2 / 1.96 / np.sqrt(((x - x.mean()) ** 2).sum())
    half *= stats.t.ppf(0.975, laws.TRUST + 2) * np.sqrt(laws.TRUST / (laws.TRUST + 2))
    assert law.fit.exponent.high - law.fit.exponent.value == pytest.approx(half, rel=1e-3)


def test_groups_without_a_best_rate_are_left_out_and_named() -> None:
    at_edge = group(64, 0.01, means=(0.1, 0.4, 0.5, 0.9, 1.0))
    found = [group(16, 0.1), group(32, 0.1), at_edge, group(128, None, "none"),
             group("full", 0.1)]  # fmt: skip
    law = laws.law_of(found)
    assert law.used == (16.0, 32.0) and len(law.left_out) == 3
    text = laws.sentence_of("width", [law], [laws.transfer_of(found, 16)])
    assert "64: the best rate tried is at the edge" in text and "128: nothing trains" in text
    assert "full: is no positive number" in text
    assert laws.law_of(found[2:]).fit is None


@pytest.mark.parametrize(("exponent", "words"), [(-1.0, "Yes, smaller"), (1.0, "Yes, larger"),
                                                 (0.0, "No: the best rate stays")])  # fmt: skip
def test_the_sentence_says_what_the_interval_says(exponent: float, words: str) -> None:
    found = [group(v, 0.1 * (v / 16) ** exponent, width=1.1) for v in (16, 64, 256, 1024, 4096)]
    found = [g._replace(rates=(g.lr or 1.0) * 2.0 ** np.arange(-2, 3)) for g in found]
    law, transfer = laws.law_of(found), laws.transfer_of(found, 16)
    text = laws.sentence_of("width", [law], [transfer])
    assert words in text and law.fit is not None
    assert f"{law.fit.exponent.low:.2f} to {law.fit.exponent.high:.2f}" in text


def test_regret_of_transfer() -> None:
    one = group(32, 0.1)
    assert laws.regret_at(one, 0.1) == 0.0
    assert laws.regret_at(one, 1.0) == pytest.approx((0.3 - 0.1) / (2.0 - 0.1))
    assert laws.regret_at(one, 1e3) is None
    found = [group(16, 1.0), one]
    assert laws.transfer_of(found, 16).regret == ((32, pytest.approx(0.2 / 1.9)),)


def test_power_law_interval_covers() -> None:
    """Planted exponents lie in the 95 % interval in about 95 % of draws."""
    rng, x = np.random.default_rng(0), np.array([1.0, 2, 4, 8, 16])
    inside = 0
    for _ in range(400):
        y = 3 * x**-0.5 * np.exp(0.3 * rng.normal(size=5))
        law = power_law(x, y, errors=np.full(5, 0.3))
        inside += law.exponent.low <= -0.5 <= law.exponent.high
    assert inside / 400 >= 0.95
    with pytest.raises(ValueError, match="errors must be as many"):
        power_law([1, 2], [1, 2], errors=[0.1, -1.0])
