"""What is trained on data that stream: the bits of memory, and what an experiment may not ask."""

from __future__ import annotations

import json
import subprocess
import sys

import flax.linen as nn
import jax
import numpy as np
import optax
import pytest
from places import TESTS
from sources import BATCH, CLASSES, NUMBERED, Again, arrays, batches, endless, mapped, same, task

import lrlab
from lrlab.core.errors import ConfigError
from lrlab.data import stream
from lrlab.rng import key
from lrlab.tasks import streams

OPTIONS: dict = dict(
    lr=[0.03, 0.3, 1e38], seeds=2, steps=24, batch_size=BATCH, progress=False,
    eval_every=6, plan=lrlab.Plan(2, None, 5),
)  # fmt: skip
"""Six lanes, two of which diverge, in segments of five updates."""


@pytest.fixture(scope="module")
def in_memory() -> lrlab.Result:
    return lrlab.sweep(task(arrays()), **OPTIONS)


@pytest.mark.parametrize("kind", NUMBERED)
def test_what_is_read_by_number_gives_the_bits_of_memory(kind, in_memory):
    assert same(lrlab.sweep(task(stream(NUMBERED[kind]())), **OPTIONS), in_memory)


@pytest.mark.parametrize(("dtype", "labels"), [
    ("float32", "int64"), ("float64", "int32"), ("float16", "uint8"), (">f4", ">i8"),
])  # fmt: skip
@pytest.mark.parametrize("kept", [0, streams.HELD_BYTES])
def test_an_array_in_a_file_gives_the_bits_of_memory(tmp_path, monkeypatch, dtype, labels, kept):
    """As a whole where it is small, else batch by batch; evaluation reads the file where it is."""
    monkeypatch.setattr(streams, "HELD_BYTES", kept)
    x, y = arrays(dtype, labels)
    pair = mapped(tmp_path, x, "x"), mapped(tmp_path, y, "y")
    streamed = lrlab.sweep(task(pair, pair), **OPTIONS)
    assert same(streamed, lrlab.sweep(task((x, y), (x, y)), **OPTIONS))


def test_a_loader_trains_on_its_batches_as_by_hand():
    options = OPTIONS | dict(
        lr=[0.1], seeds=[3], optimizer="sgd", schedule="constant", plan=lrlab.Plan(1, None, 5)
    )
    result = lrlab.sweep(task(stream(endless)), **options)
    model, tx = nn.Dense(CLASSES), optax.sgd(np.float32(0.1))
    params = model.init(key(3, "init"), arrays()[0][:1])["params"]

    def loss(params, x, y):
        outputs = model.apply({"params": params}, x)
        return optax.softmax_cross_entropy_with_integer_labels(outputs, y).mean()

    @jax.jit
    def step(carry, batch):
        value, grads = jax.value_and_grad(loss)(carry[0], *batch)
        updates, state = tx.update(grads, carry[1], carry[0])
        return (optax.apply_updates(carry[0], updates), state), value

    order = endless(3)
    xs, ys = zip(*(next(order) for _ in range(24)), strict=True)
    given = np.stack(xs), np.stack(ys).astype(np.int32)
    _, values = jax.lax.scan(step, (params, tx.init(params)), given)
    np.testing.assert_array_equal(result.history["train_loss"][:, 0, 0], values)


def test_validation_that_streams_is_exact(monkeypatch, in_memory):
    """A loader's pass in blocks of another size than its batches, the last of them smaller."""
    monkeypatch.setattr(streams, "HELD_BYTES", 0)
    x, y = arrays()
    valid = stream(lambda: ((x[i : i + 7], y[i : i + 7]) for i in range(0, 120, 7)))
    result = lrlab.sweep(task((x, y), valid), **OPTIONS)
    for name, values in in_memory.history.items():
        np.testing.assert_allclose(result.history[name], values, rtol=1e-5, atol=1e-6, err_msg=name)
    assert np.isnan(result.final["valid_loss"][2]).all()


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(stream(batches), id="loader"),
        pytest.param(stream(arrays()), id="numbered", marks=pytest.mark.slow),
    ],
)
def test_every_workflow_takes_a_stream(source, tmp_path):
    this = task(source)
    options = dict(steps=24, batch_size=BATCH)
    answer = lrlab.find(
        this, lr_range=(1e-2, 10.0), seeds=2, progress=False, out=tmp_path / "run", **options
    )
    assert answer.lr is not None
    info = json.loads((tmp_path / "run" / "run.json").read_text())
    assert info["streamed"]["passes"] >= 2 and info["streamed"]["waited_seconds"] >= 0.0
    test = lrlab.range_test(this, num_steps=20, batch_size=BATCH, seeds=2, progress=False)
    assert test.loss.shape == (2, 20)
    population = lrlab.population(this, lr=[0.01, 0.1, 0.3], generations=3, **options)
    assert np.isfinite(population.train_loss).all()
    probed = lrlab.sweep(this, probes=("sharpness",), **(OPTIONS | {"lr": [0.1, 0.3]}))
    assert np.isfinite(probed.history["sharpness"]).all()


def test_members_of_a_population_read_the_bits_of_memory():
    options = dict(lr=[0.01, 0.1, 0.3], generations=3, steps=24, batch_size=BATCH)
    one, other = (lrlab.population(task(s), **options) for s in (arrays(), stream(arrays())))
    np.testing.assert_array_equal(one.train_loss, other.train_loss)
    np.testing.assert_array_equal(one.scores, other.scores)


@pytest.mark.parametrize(("changes", "message"), [
    ({"batch_size": 8}, r"the loader gives batches of 16, so that batch_size = 8 is not possible"),
    ({"sampler": "replay"}, r'sampler = "replay" is not for loaders'),
    ({"steps": None, "epochs": 2}, r"a loader does not say how long an epoch is"),
])  # fmt: skip
def test_what_a_loader_cannot_have_is_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        lrlab.sweep(task(stream(batches)), **(OPTIONS | changes))


def test_all_of_a_stream_is_no_batch():
    with pytest.raises(ConfigError, match=r'batch_size = "full" reads all training data'):
        lrlab.sweep(task(stream(arrays())), **(OPTIONS | {"batch_size": "full"}))


def test_the_batch_size_of_a_loader_need_not_be_said():
    options = {name: value for name, value in OPTIONS.items() if name != "batch_size"}
    without = lrlab.sweep(task(stream(batches)), **options)
    assert same(without, lrlab.sweep(task(stream(batches)), **OPTIONS))


def test_an_order_that_seeds_share_is_said():
    with pytest.warns(UserWarning, match=r"all 2 seeds read the batches of Again in one order"):
        several = lrlab.sweep(task(stream(Again())), **OPTIONS)
    one = lrlab.sweep(task(stream(Again())), **(OPTIONS | {"seeds": [1]}))
    np.testing.assert_array_equal(
        several.history["train_loss"][:, :, 1:], one.history["train_loss"]
    )


MEMORY = """
import re, sys, threading, time
sys.path.insert(0, {tests!r})
import numpy as np
from sources import BATCH, task
import lrlab

peak = 0

def watch():
    global peak
    while True:
        text = open("/proc/self/status").read()
        peak = max(peak, int(re.search(r"RssAnon:\\s+(\\d+)", text).group(1)))
        time.sleep(0.02)

threading.Thread(target=watch, daemon=True).start()
x = np.load({file!r}, mmap_mode="r") if {file!r} else np.zeros((2000, 1000), np.float32)
pair = x, np.arange(len(x)) % 3
lrlab.sweep(task(pair, pair), lr=[0.1, 0.2], steps=20, batch_size=BATCH, eval_every=20,
            progress=False, plan=lrlab.Plan(2, 1, 5))
print(peak >> 10)
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc/self/status")
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_a_large_file_is_never_held(tmp_path, dtype):
    """MiB of anonymous memory at most, beside those with an array of 8 MB."""
    file = np.lib.format.open_memmap(tmp_path / "x.npy", "w+", dtype, (120_000, 1000))
    file.flush()  # zeros, which take no room on the disk
    peaks = []
    for name in ("", str(tmp_path / "x.npy")):
        script = MEMORY.format(tests=str(TESTS), file=name)
        ended = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, timeout=900, check=False
        )
        assert ended.returncode == 0, ended.stderr
        peaks.append(int(ended.stdout))
    assert peaks[1] - peaks[0] < 150, peaks
