"""The bench's models in layers of their libraries: the functions that lrlab's own models are."""

from __future__ import annotations

import importlib.util

import jax
import numpy as np
import pytest

from lrlab import bench
from lrlab.bench import inputs, measure, suite
from lrlab.models.adapters import as_model
from lrlab.tasks.given import fitted

SMALL = {
    "mlp-medium": {"width": [8, 6]},
    "cnn": {"channels": [3, 4], "width": 5},
    "resnet": {"channels": [3, 4]},
    "transformer": {"width": 8, "depth": 2, "heads": 2},
}
EQUINOX = pytest.mark.skipif(
    importlib.util.find_spec("equinox") is None, reason="Equinox is not installed"
)


def drawn(work):
    """Inputs as `inputs.make` writes them, of a few examples."""
    rng = np.random.default_rng(0)
    if work.kind == "transformer":
        x, y = rng.integers(0, 256, (5, 7)).astype(np.int32), rng.integers(0, 256, (5, 7))
    else:
        shape = (5, 12) if work.kind == "mlp" else (5, 8, 8)
        x, y = rng.normal(size=shape).astype(np.float32), np.arange(5)
    own = inputs.lrlab_model(work, "xla", y)
    variables = own.init(jax.random.key(0), x)
    moved = jax.tree.map(
        lambda leaf: np.asarray(leaf) + rng.uniform(0, 0.3, leaf.shape).astype(np.float32),
        variables,
    )
    arrays = {"x": x, "y": y}
    for root, tree in (("params", moved["params"]), ("state", dict(moved))):
        tree = {name: part for name, part in tree.items() if root == "params" or name != "params"}
        leaves = inputs.flatten_dict(tree, sep="/")
        arrays |= {f"{root}/{name}": leaf for name, leaf in leaves.items()}
    return own, moved, arrays


DEAR = ("transformer", "equinox"), ("resnet", "linen")
"""They take longest to trace; each model and each library is tested by default with others."""

PAIRS = [
    pytest.param(
        name,
        library,
        marks=[EQUINOX] * (library == "equinox") + [pytest.mark.slow] * ((name, library) in DEAR),
    )
    for name in SMALL
    for library in ("linen", "nnx", "plain", "equinox")
]


@pytest.mark.parametrize(("name", "library"), PAIRS)
def test_a_model_of_stock_layers_is_the_same_function(name, library):
    work = bench.workload(name)._replace(model=SMALL[name])
    if f"lrlab-{library}" not in work.ways:
        pytest.skip("not written in this library")
    own, moved, arrays = drawn(work)
    made, params = inputs.stock_model(work, library, arrays)
    model, x = as_model(made), arrays["x"]
    variables = model.init(jax.random.key(1), x)
    if params is not None:
        given = fitted(name, params, jax.eval_shape(lambda: variables))
        variables = {**variables, **given} if "params" in given else {**variables, "params": given}
    noise = jax.random.key(2)
    expected, after = own.apply(moved, x, True, noise)
    outputs, now = model.apply(variables, x, True, noise)
    np.testing.assert_allclose(outputs, expected, rtol=2e-5, atol=2e-5)
    if name == "resnet" and library != "nnx":  # NNX has no statistics to start from
        for a, b in zip(*(jax.tree.leaves(it["batch_stats"]) for it in (now, after)), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


def test_ways_without_their_package_are_left_out_and_named(monkeypatch):
    said = []
    monkeypatch.setattr(suite, "find_spec", lambda name: None)
    monkeypatch.setattr(suite, "measure", lambda work, ways, **options: {"ways": list(ways)})
    monkeypatch.setattr(suite, "version_of", lambda package, interpreter: None)
    result = bench.run(["cnn"], say=said.append)
    (work,) = result["workloads"]
    assert "lrlab-linen" in work["ways"]
    assert not {"lrlab-equinox", "torch-loop", "torch-func"} & set(work["ways"])
    assert len(said) == 3 and any("equinox is not installed" in line for line in said)


def test_ratios_are_of_the_same_turn():
    times, ours = [2.0, 20.0, 2.0], [1.0, 10.0, 1.0]
    assert measure.by_turn(times, ours) == [2.0, 2.0, 2.0]
    assert measure.by_turn([6.0], ours) == [6.0]
