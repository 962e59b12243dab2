"""What muP takes each parameter for, read from the program of the model, for many kinds of models.

Nothing is compiled: the programs are traced for shapes alone, of width 32 and 64.
"""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from lrlab import models, scaling
from lrlab.models import as_model
from lrlab.scaling.capture import layer_outputs
from lrlab.scaling.flow import uses
from lrlab.scaling.parametrization import _described
from lrlab.scaling.places import agreed, paths, places
from lrlab.tasks.functions import separated

ROWS = np.zeros((1, 6), np.float32)
TOKENS = np.zeros((1, 5), np.int32)
SEQUENCES = np.zeros((1, 5, 6), np.float32)
IMAGES = np.zeros((1, 8, 8, 3), np.float32)
NORMAL = nn.initializers.normal(1.0)


def found(make, x, kinds=()):
    """Path -> the places of a parameter, width 32 -> 64."""
    base = separated(jax.eval_shape(as_model(make(32)).init, jax.random.key(0), x))[0]
    shapes = dict(zip(paths(base), (a.shape for a in jax.tree.leaves(base)), strict=True))
    return places(as_model(make(64)), _described(x), shapes, kinds)


def kinds_of(make, x):
    """Kind -> paths."""
    read: dict[str, set[str]] = {}
    for path, own in found(make, x).items():
        place = agreed(path, (), own)
        assert {place.fan_in, place.fan_out} <= {1.0, 2.0}, (path, place)
        read.setdefault(place.kind, set()).add(path)
    return read


class Heads(nn.Module):
    """Attention whose heads grow at a fixed head size, in a pre-norm block."""

    width: int

    @nn.compact
    def __call__(self, x):
        h = nn.Dense(self.width, name="in")(x)
        a = nn.MultiHeadDotProductAttention(num_heads=self.width // 16, name="att")
        h = h + a(nn.LayerNorm(name="norm")(h))
        return nn.Dense(3, name="readout")(h.mean(1))


def test_attention_with_growing_heads() -> None:
    read = kinds_of(Heads, SEQUENCES)
    assert read["hidden"] == {f"att/{name}/kernel" for name in ("query", "key", "value", "out")}
    assert read["output"] == {"readout/kernel"} and read["fixed"] == {"readout/bias"}
    made = scaling.mup(Heads(64), Heads(32), SEQUENCES)
    rows = {tensor.path: tensor[-3:] for tensor in made.tensors}
    for name in ("query", "key", "value", "out"):
        assert rows[f"att/{name}/kernel"] == pytest.approx((1.0, 1.0, 0.5))
        assert rows[f"att/{name}/bias"] == (1.0, 1.0, 1.0)


class Parts(nn.Module):
    """Whatever grows in one axis that is not the last, or in the last and is no input."""

    width: int

    @nn.compact
    def __call__(self, x):
        size, width, make = 8, self.width, self.param
        heads = width // size
        h = nn.Dense(width, name="in")(x) + make("positions", NORMAL, (1, 5, width))
        q = nn.DenseGeneral((heads, size), name="q")(h)
        k, v = (nn.DenseGeneral((2, size), name=name)(h) for name in "kv")
        k, v = (jnp.repeat(a, heads // 2, 2) for a in (k, v))
        logits = jnp.einsum("bthd,bshd->bhts", q, k) * make("temperature", NORMAL, (heads, 1, 1))
        distance = jnp.arange(5)[:, None] - jnp.arange(5)[None] + 4
        logits += make("relative", NORMAL, (heads, 5, 5))
        logits += make("table", NORMAL, (9, heads))[distance].transpose(2, 0, 1)
        o = jnp.einsum("bhts,bshd->bthd", nn.softmax(logits), v)
        o = jnp.einsum("bthd,hde->bthe", o, make("blocks", NORMAL, (heads, size, size)))
        o = nn.RMSNorm(name="norm")(nn.DenseGeneral(width, axis=(-2, -1), name="o")(o))
        queries = nn.Dense(width, name="ask")(make("queries", NORMAL, (3, width)))
        o = nn.softmax(jnp.einsum("mw,btw->bmt", queries, o)) @ o
        kernel = make("w", NORMAL, (width, width)) + (
            make("lora_a", NORMAL, (width, 2)) @ make("lora_b", NORMAL, (2, width))
        )
        o = nn.relu(o @ kernel).mean(1)
        last = make("transposed", NORMAL, (3, width))
        by_sum = (o * make("summed", NORMAL, (width,))).sum(-1)
        by_dot = o @ make("dotted", NORMAL, (width,))
        return o @ last.T + by_sum[:, None] + by_dot[:, None]


def test_axes_whose_shapes_do_not_say_it() -> None:
    read = kinds_of(Parts, SEQUENCES)
    assert read["hidden"] == {"q/kernel", "o/kernel", "ask/kernel", "w"}
    assert read["output"] == {"k/kernel", "v/kernel", "lora_a", "transposed", "summed", "dotted"}
    assert read["fixed"] == {"k/bias", "v/bias"}
    assert {"positions", "temperature", "relative", "table", "blocks", "queries", "lora_b"} <= read[
        "input"
    ] and {"q/bias", "o/bias", "ask/bias", "norm/scale"} <= read["input"]


class Images(nn.Module):
    width: int

    @nn.compact
    def __call__(self, x, train: bool = True):
        h = nn.BatchNorm(use_running_average=not train)(nn.Conv(self.width, (3, 3), name="in")(x))
        h = nn.GroupNorm(4)(nn.Conv(self.width, (3, 3), name="full")(nn.relu(h)))
        h = nn.Dropout(0.1, deterministic=not train)(h)
        h = nn.Conv(self.width, (3, 3), feature_group_count=self.width, name="depthwise")(h)
        h = nn.Conv(self.width, (3, 3), feature_group_count=self.width // 8, name="groups")(h)
        h = nn.ConvTranspose(self.width, (3, 3), name="up")(h)
        return nn.Dense(3, name="readout")(h.mean((1, 2)))


class Mixer(nn.Module):
    width: int

    @nn.compact
    def __call__(self, x):
        h = nn.Dense(self.width, name="in")(x).swapaxes(1, 2)
        h = nn.Dense(5, name="tokens_back")(nn.gelu(nn.Dense(self.width // 2, name="tokens")(h)))
        return nn.Dense(3, name="readout")(h.mean(2))


class Recurrent(nn.Module):
    width: int

    @nn.compact
    def __call__(self, x):
        h = nn.RNN(nn.OptimizedLSTMCell(self.width), name="lstm")(x)
        return nn.Dense(3, name="readout")(nn.RNN(nn.GRUCell(self.width), name="gru")(h)[:, -1])


class Normed(nn.Module):
    width: int

    @nn.compact
    def __call__(self, x):
        h = nn.relu(nn.WeightNorm(nn.Dense(self.width, name="in"))(x))
        h = nn.relu(nn.SpectralNorm(nn.Dense(self.width, name="full"))(h, update_stats=True))
        return nn.WeightNorm(nn.Dense(3, name="readout"))(h)


class Block(nn.Module):
    width: int

    @nn.compact
    def __call__(self, h, _):
        return h + nn.Dense(self.width)(nn.relu(h)), None


class Stacked(nn.Module):
    width: int

    @nn.compact
    def __call__(self, x):
        layers = nn.scan(
            nn.remat(Block), variable_axes={"params": 0}, split_rngs={"params": True}, length=3
        )
        h, _ = layers(self.width, name="layers")(nn.Dense(self.width, name="in")(x), None)
        return nn.Dense(3, name="readout")(h)


class Shared(nn.Module):
    """Layers used twice, and a square kernel used transposed."""

    width: int

    @nn.compact
    def __call__(self, x):
        h, twice = nn.Dense(self.width, name="in")(x), nn.Dense(self.width, name="twice")
        w = self.param("w", NORMAL, (self.width, self.width))
        return nn.Dense(3, name="readout")(nn.relu(twice(nn.relu(twice(h))) @ w) @ w.T)


@pytest.mark.parametrize(
    ("make", "x", "hidden", "output", "given"),
    [
        (Images, IMAGES, {"full/kernel", "up/kernel"}, {"readout/kernel"},
         {"in/kernel", "depthwise/kernel", "groups/kernel", "GroupNorm_0/scale"}),
        (Mixer, SEQUENCES, set(), {"tokens_back/kernel"}, {"in/kernel", "tokens/kernel"}),
        (Recurrent, SEQUENCES,
         {"OptimizedLSTMCell_0/hf/kernel", "GRUCell_0/hn/kernel", "GRUCell_0/in/kernel"},
         {"readout/kernel"}, {"OptimizedLSTMCell_0/if/kernel", "GRUCell_0/hn/bias"}),
        (Normed, ROWS, {"full/kernel"}, {"readout/kernel"}, {"in/kernel", "full/bias"}),
        (Stacked, ROWS, {"layers/Dense_0/kernel"}, {"readout/kernel"}, {"layers/Dense_0/bias"}),
        (Shared, ROWS, {"twice/kernel", "w"}, {"readout/kernel"}, {"in/kernel", "twice/bias"}),
        (lambda w: models.module("transformer", 5, width=w, depth=1, heads=w // 16), TOKENS,
         {"hidden_0_qkv/kernel", "hidden_0_mix/kernel"}, {"readout/kernel"},
         {"embedding/embedding", "embedding_places"}),
        (lambda w: models.module("resnet", 5, channels=w, blocks=1), IMAGES[..., 0],
         {"hidden_0_0_a/kernel"}, {"readout/kernel"}, set()),
    ],
    ids=["images", "mixer", "recurrent", "normed", "stacked", "shared", "transformer", "resnet"],
)  # fmt: skip
def test_kinds_of_models(make, x, hidden, output, given) -> None:
    read = kinds_of(make, x)
    assert hidden <= read.get("hidden", set()), read
    assert output <= read["output"] and given <= read["input"], read
    assert all(path.endswith(("kernel", "w", "scale")) for path in read.get("hidden", set()))


class Tied(nn.Module):
    """An embedding that is the readout too, tied in several ways; `divide` the logits by that."""

    width: int
    way: str = "attend"
    divide: float = 1.0

    @nn.compact
    def __call__(self, x):
        if self.way == "attend":
            embed = nn.Embed(11, self.width, name="e", embedding_init=NORMAL)
            into, out = embed, embed.attend
        else:
            rows = self.way != "columns"
            shape = (11, self.width) if rows else (self.width, 11)
            e = self.param("e", NORMAL, shape)
            e = e if rows else e.T
            into = (lambda x: jax.nn.one_hot(x, 11) @ e) if self.way == "one_hot" else e.__getitem__
            out = lambda h: jnp.einsum("btw,vw->btv", h, e)  # noqa: E731
        return out(nn.relu(nn.Dense(self.width)(into(x)))) / self.divide


class TiedNnx(nnx.Module):
    def __init__(self, width, rngs):
        self.e, self.d = nnx.Embed(11, width, rngs=rngs), nnx.Linear(width, width, rngs=rngs)
        self.out = self.e

    def __call__(self, x):
        return self.out.attend(nnx.relu(self.d(self.e(x))))


class Autoencoder(nn.Module):
    width: int

    @nn.compact
    def __call__(self, x):
        w = self.param("e", NORMAL, (6, self.width))
        return nn.relu(x @ w) @ w.T


TIED = {
    "attend": (lambda w: Tied(w), TOKENS, "e/embedding"),
    "one_hot": (lambda w: Tied(w, "one_hot"), TOKENS, "e"),
    "columns": (lambda w: Tied(w, "columns"), TOKENS, "e"),
    "rows": (lambda w: Tied(w, "rows"), TOKENS, "e"),
    "nnx": (lambda w: lambda rngs: TiedNnx(w, rngs), TOKENS, "e/embedding"),
    "autoencoder": (Autoencoder, ROWS, "e"),
}


@pytest.mark.parametrize("way", TIED)
def test_a_tied_embedding_is_refused_by_name(way) -> None:
    make, x, path = TIED[way]
    read = found(make, x)
    assert {place.kind for place in read[path]} == {"input", "output"}
    words = rf"parameter {path} .*shared.*input and as output.*here 2.*kinds=.*{path}"
    with pytest.raises(ValueError, match=words):
        agreed(path, (11, 64), read[path])
    said = found(make, x, ((path, "input"),))
    assert agreed(path, (11, 64), said[path]) == ("input", 1.0, 2.0)


def test_kinds_that_are_said() -> None:
    with pytest.raises(ValueError, match=r"parameter e/embedding .* is shared"):
        scaling.mup(Tied(16), Tied(8), TOKENS)
    made = scaling.mup(Tied(16), Tied(8), TOKENS, kinds={"embedding": "input"})
    assert {t.path: t.kind for t in made.tensors}["e/embedding"] == "input"
    for kinds, message in (
        ({"embeding": "input"}, "'embeding' matches no parameter; the paths are"),
        ({"embedding": "inputs"}, "must be one of input, hidden, output, fixed"),
    ):
        with pytest.raises(ValueError, match=message):
            scaling.mup(Tied(16), Tied(8), TOKENS, kinds=kinds)


def test_what_the_program_does_not_say_is_refused_by_name() -> None:
    class Solved(nn.Module):
        width: int

        @nn.compact
        def __call__(self, x):
            w = self.param("w", NORMAL, (self.width, self.width))
            return jnp.linalg.solve(w + jnp.eye(self.width), nn.Dense(self.width)(x).T).T

    with pytest.raises(ValueError, match=r"parameter w .* does not say .* kinds=\{'w'"):
        agreed("w", (64, 64), found(Solved, ROWS)["w"])


def test_uses_follow_loops_branches_and_look_ups() -> None:
    w, x = jnp.ones((4, 4, 3)), jnp.ones((2, 4))

    def looped(p, rest, x):
        return jax.lax.fori_loop(0, 3, lambda i, h: jnp.tanh(h @ p[0][:, :4]), x)

    def chosen(p, rest, x):
        return jax.lax.cond(x[0, 0] > 0, lambda: x @ p[1], lambda: jnp.zeros((2, 3)))

    assert uses(chosen, w, (), x) == [{("apart", "summed", "free")}]
    square = jnp.ones((1, 4, 4))
    assert uses(looped, square, (), x) == [{("apart", "summed", "free")}]
    start = jnp.ones(4)
    carried = lambda p, rest, x: jax.lax.scan(lambda h, r: (h + r, h), p, x)[1]  # noqa: E731
    assert uses(carried, start, (), x) == [{("free",)}]


@pytest.mark.parametrize(
    ("network", "x", "layers"),
    [
        (Tied(8), TOKENS, ["Dense_0", "e", "output"]),
        (lambda rngs: TiedNnx(8, rngs), TOKENS, ["d", "e", "e/attend"]),
        (nn.Sequential([nn.Dense(4), nn.relu]), ROWS, ["layers_0", "output"]),
        (nn.Dense(3), ROWS, ["output"]),
        (nn.Sequential([nn.Dense(4), nn.relu, nn.Dense(2)]), ROWS, ["layers_0", "layers_2"]),
    ],
)
def test_the_networks_own_output_is_looked_at(network, x, layers) -> None:
    variables = jax.eval_shape(as_model(network).init, jax.random.key(0), x)
    seen = jax.eval_shape(lambda v: layer_outputs(network, v, x), variables)
    assert sorted(seen) == layers


def test_the_check_sees_a_tied_readout() -> None:
    """Undivided logits grow with width, which no layer's output shows; divided ones do not."""
    tokens = np.random.default_rng(0).integers(0, 11, (8, 4))

    def check(divided: bool):
        return scaling.coordinate_check(
            lambda w: Tied(w, "attend", w / 32 if divided else 1.0), tokens, tokens,
            widths=(32, 256), lr=2.0**-8, steps=2, seeds=2, kinds={"embedding": "input"},
            tolerance=0.2,  # a shared tensor cannot start at zero: a part goes as width^-1/2
        )  # fmt: skip

    wrong, right = check(False), check(True)
    assert wrong.slopes["output"] > 0.5 and not wrong.passed
    assert abs(wrong.slopes["e"]) < 0.1 and abs(wrong.slopes["Dense_0"]) < 0.1
    assert right.passed, right.slopes
