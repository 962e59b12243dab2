"""Population-based training of tasks: reproducible, better than staying, failures replaced."""

from __future__ import annotations

import numpy as np
import pytest

import lrlab

COMMON = dict(optimizer="momentum", steps=60, generations=6, batch_size=16)
RATES = lrlab.log_grid(1e-5, 10.0, 8)


@pytest.mark.slow
def test_a_population_repeats_and_beats_those_that_stay():
    found = lrlab.population("wine-mlp", lr=RATES, **COMMON)
    again = lrlab.population("wine-mlp", lr=RATES, **COMMON)
    for one, other in zip(found, again, strict=True):
        if isinstance(one, np.ndarray):
            assert np.array_equal(one, other, equal_nan=True)
    other = lrlab.population("wine-mlp", lr=RATES, seed=1, **COMMON)
    assert not np.array_equal(found.source, other.source)
    assert found.scores.shape == (6, 8) and found.train_loss.shape == (60, 8)
    alone = lrlab.sweep(
        "wine-mlp", lr=RATES, optimizer="momentum", steps=60, batch_size=16, seeds=1,
        schedule="constant", progress=False,
    ).final["valid_loss"][:, 0]  # fmt: skip
    assert np.nanmax(found.scores[-1]) < np.nanmax(np.where(np.isfinite(alone), alone, np.inf))
    # The first generation is a plain sweep: one program, one rate each.
    assert np.array_equal(found.hyper["lr"][0], RATES.astype(np.float32))
    # The worst copy one of the best, whose rate they vary by a factor.
    for g, source in enumerate(found.source):
        order = np.argsort(np.nan_to_num(found.scores[g], nan=np.inf), kind="stable")
        assert set(source[order[-1:]]) <= set(order[:1])
        assert np.array_equal(source[order[:-1]], order[:-1])
        ratio = found.hyper["lr"][g + 1] / found.hyper["lr"][g][source]
        assert np.isclose(ratio[:, None], [0.8, 1.0, 1.2], rtol=1e-4).any(1).all()
    path = found.schedule()
    assert path.shape == (6,) and path[0] in found.hyper["lr"][0]


@pytest.mark.slow
def test_members_take_further_hyper_parameters_one_by_one():
    found = lrlab.population(
        "wine-linear", lr=[0.1, 0.2, 0.3, 0.4], momentum=[0.5, 0.6, 0.7, 0.8], **COMMON
    )
    assert set(found.hyper) == {"lr", "momentum"} and found.hyper["momentum"].shape == (6, 4)
    with pytest.raises(ValueError, match="lr 4, momentum 2"):
        lrlab.population("wine-linear", lr=[0.1, 0.2, 0.3, 0.4], momentum=[0.5, 0.6], **COMMON)
    with pytest.raises(ValueError, match="generations must lie"):
        lrlab.population("wine-linear", lr=[0.1, 0.2], **{**COMMON, "generations": 61})
    with pytest.raises(ValueError, match="to be maximized"):
        lrlab.population("wine-linear", lr=[0.1, 0.2], metric="valid_accuracy", **COMMON)


def test_a_single_number_holds_for_all_members():
    x = np.linspace(-1, 1, 32, dtype=np.float32)[:, None]
    task = lrlab.Task.custom(
        init=lambda key, example: {"w": 0.5}, train=(x, 3 * x), valid=(x, 3 * x),
        loss=lambda p, b, key, hyper: ((p["w"] * b[0] - b[1]) ** 2).mean() + hyper["kl"] * p["w"],
    )  # fmt: skip
    options = dict(lr=[0.01, 0.1, 0.2], steps=8, batch_size=8, generations=2, fraction=0.34)
    one = lrlab.population(task, kl=0.1, optimizer="sgd", **options)
    listed = lrlab.population(task, kl=[0.1] * 3, optimizer="sgd", **options)
    assert set(one.hyper) == {"lr"}
    np.testing.assert_array_equal(one.scores[0], listed.scores[0])
    # One of the optimizer's own, and one that scales what lanes begin with.
    more = dict(optimizer="momentum", momentum=0.5, init_scale=2.0, kl=0.1)
    assert np.isfinite(lrlab.population(task, **more, **options).scores).all()
