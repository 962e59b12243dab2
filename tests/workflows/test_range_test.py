"""Range tests on real training: ramps, parallel tests, given parameters; reports from folders."""

from __future__ import annotations

import contextlib
import io
import json

import jax
import numpy as np
import pytest

import lrlab
from lrlab import report
from lrlab.cli.app import run as cli
from lrlab.search import rules
from lrlab.search.range_test import ladder

TASK = {"optimizer": "sgd", "batch_size": 32, "seeds": 2}


def objective():
    """0.5 x^2 in float64: every loss of a ramp of SGD follows from its rates."""
    return lrlab.Task.objective(
        name="parabola",
        init=lambda key: jax.numpy.asarray(2.0) + jax.random.uniform(key),
        loss=lambda x, key: 0.5 * x**2,
    )


@pytest.mark.parametrize("mode", ["exponential", "linear"])
@pytest.mark.parametrize("split", ["train", "valid"])
def test_a_ramp_by_hand(mode, split):
    test = lrlab.range_test(
        objective(), optimizer="sgd", start=0.01, end=2.5, num_steps=25, seeds=3, mode=mode,
        split=split, precision="float64",
    )  # fmt: skip
    rates = ladder(0.01, 2.5, 25, mode)
    np.testing.assert_array_equal(test.lr, rates)
    gap = np.diff(rates) if mode == "linear" else np.diff(np.log(rates))
    np.testing.assert_allclose(gap, gap[0], rtol=1e-9, atol=1e-12)
    x = np.sqrt(2 * test.loss[:, 0]) / (1.0 if split == "train" else 1 - rates[0])
    for step, rate in enumerate(rates):
        before, x = x, x * (1 - rate)
        seen = before if split == "train" else x
        np.testing.assert_allclose(test.loss[:, step], 0.5 * seen**2, rtol=1e-9, atol=1e-12)


def test_a_parallel_test_trains_every_rate_on_its_own_at_that_rate():
    test = lrlab.range_test(
        objective(), optimizer="sgd", start=0.01, end=1.9, num_steps=20, seeds=2, kind="parallel",
        precision="float64",
    )  # fmt: skip
    first = lrlab.range_test(
        objective(), optimizer="sgd", num_steps=20, seeds=2, precision="float64"
    ).loss[:, :1]
    factor = (1 - test.lr) ** 2
    expected = first * (factor**18 + factor**19) / 2  # the mean of the last tenth
    np.testing.assert_allclose(test.loss, expected, rtol=1e-9, atol=1e-12)


def test_given_parameters_start_every_seed_and_stay_as_they_were():
    params = jax.numpy.asarray(3.0)
    task = objective()
    for _ in range(2):
        test = lrlab.range_test(
            task, optimizer="sgd", num_steps=10, seeds=2, params=params, precision="float64"
        )
        np.testing.assert_array_equal(test.loss[:, 0], 4.5)
        assert float(params) == 3.0 and not params.is_deleted()
    with pytest.raises(ValueError, match=r"has shape \(\), the given one \(2,\)"):
        lrlab.range_test(task, optimizer="sgd", num_steps=10, seeds=1, params=np.zeros(2))


def test_suggestions_reasons_and_words():
    test = lrlab.range_test("wine-linear", num_steps=60, end=1e-6, **TASK)
    assert np.isnan(test.suggest("safe_descent")).all()
    assert set(test.reasons["safe_descent"]) == {0, 1}
    assert np.isfinite(test.suggest("valley")).all() and test.reasons["valley"] == {}
    assert "safe_descent" in str(test) and "-   the loss" in str(test)
    for name in rules.NAMES:
        found = test.suggest(name)
        assert found.shape == (2,) and set(test.reasons[name]) == set(
            test.seeds[np.isnan(found)].tolist()
        )
    made = test.plot()
    assert [ax.get_xlabel() for ax in made.axes] == ["", "learning rate"]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("runs")
    _train(root)
    return root


def _train(root):
    lrlab.sweep(
        "wine-linear", lr=[0.01, 0.1, 1.0], steps=20, out=root / "sweep", progress=False, **TASK
    )
    lrlab.range_test("wine-linear", num_steps=60, start=1e-4, out=root / "ramp", **TASK)
    lrlab.range_test("wine-linear", num_steps=20, kind="parallel", out=root / "parallel", **TASK)
    entries = {"small": {"lr_range": (1e-4, 1e-3)}, "large": {"lr_range": (1e-2, 1.0)}}
    lrlab.compare(
        entries, task="wine-linear", steps=20, budget=4, out=root / "both", progress=False, **TASK
    )


@pytest.mark.parametrize("name", ["ramp", "parallel"])
def test_a_range_test_is_read_back_as_it_was(folders, name):
    data = report.read(folders / name)
    kind = "ramp" if name == "ramp" else "parallel"
    again = lrlab.range_test(
        "wine-linear", num_steps=60 if name == "ramp" else 20, kind=kind,
        start=1e-4 if name == "ramp" else None, **TASK,
    )  # fmt: skip
    np.testing.assert_array_equal(data.test.lr, again.lr)
    np.testing.assert_array_equal(data.test.loss, again.loss)
    for rule, picks in again.suggestions().items():
        np.testing.assert_array_equal(data.test.suggestions()[rule], picks)
    assert again.sentence in report.page(data).text.replace("&#x27;", "'")
    assert report.draw("range_test", data) is not None
    assert (report.draw("loss_vs_lr", data) is None) == (name == "ramp")


@pytest.mark.slow
def test_picks_go_to_runs_of_the_same_task_and_optimizer(folders, tmp_path):
    one, ramp = report.read_all([folders / "sweep", folders / "ramp"]).runs
    np.testing.assert_equal(one.suggestions, ramp.test.suggestions())
    assert "range test beside it" in one.suggested_by
    assert not ramp.suggestions
    lrlab.sweep(
        "wine-linear", lr=[0.1], steps=5, optimizer="adam", out=tmp_path / "adam", progress=False,
        batch_size=32,
    )  # fmt: skip
    assert not report.read_all([tmp_path / "adam", folders / "ramp"]).runs[0].suggestions


def test_a_sweep_of_many_rates_is_a_parallel_test_too(tmp_path):
    sweep = {"lr": np.geomspace(1e-4, 3.0, 30), "steps": 200, "schedule": "constant"}
    result = lrlab.sweep("wine-linear", progress=False, **sweep, **TASK)
    result.save(tmp_path / "many")
    data = report.read(tmp_path / "many")
    assert "first 20 updates of this sweep" in data.suggested_by
    test = lrlab.range_test(
        "wine-linear", start=1e-4, end=3.0, num_steps=30, kind="parallel", **TASK
    )
    near = data.suggestions["valley"] / test.suggest("valley")  # 20 updates there, 30 here
    assert (np.abs(np.log(near)) < np.log(3)).all()
    assert data.suggested_by in report.page(data).text


def told(*arguments):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        assert cli([str(a) for a in arguments]) == 0
    return out.getvalue()


@pytest.mark.slow
def test_report_and_show_of_several_runs(folders, tmp_path, monkeypatch):
    from lrlab.report import drawing, figures

    some = {name: figures.FIGURES[name] for name in ("range_test", "loss_vs_lr")}
    monkeypatch.setattr(figures, "FIGURES", some)
    both = folders / "both"
    monkeypatch.setenv("LRLAB_FIGURES", "now")
    drawing.draw(both)
    assert (both / "report.html").exists() and (both / "figures" / "comparison.png").exists()
    found = json.loads(
        told("report", both, folders / "ramp", "--out", tmp_path, "--format", "svg", "--json")
    )
    assert "comparison.svg" in {path.rsplit("/", 1)[1] for path in found["figures"]}
    assert all(path.endswith(".svg") for path in found["figures"])
    page = (tmp_path / "report.html").read_text()
    assert page.count('<section class="run"') == 3 and 'href="#run1"' in page
    sentence = json.loads((both / "summary.json").read_text())["sentence"]
    assert sentence.split(":")[0] in told("show", both)
    assert "where" not in told("show", folders / "sweep", "--all")
    assert "valley" in told("show", folders / "ramp")
    assert cli(["report", str(both), "--format", "bmp"]) == 2


@pytest.mark.parametrize("format", ["csv", "curves", "npz", "nc"])
def test_export_of_a_sweep(folders, tmp_path, format):
    target = tmp_path / f"export.{format}"
    told("export", folders / "sweep", "--format", format, "--out", target)
    result = lrlab.load(folders / "sweep")
    loss = result.final["valid_loss"]
    if format == "csv":
        rows = [line.split(",") for line in target.read_text().splitlines()]
        column = rows[0].index("final_valid_loss")
        np.testing.assert_allclose(
            [float(row[column]) for row in rows[1:]], loss.ravel(), rtol=1e-7, atol=1e-12
        )
        assert [float(row[0]) for row in rows[1::2]] == [0.01, 0.1, 1.0]
    elif format == "curves":
        rows = [line.split(",") for line in target.read_text().splitlines()[1:]]
        last = [float(r[4]) for r in rows if r[2] == "valid_loss" and r[3] == "20"]
        np.testing.assert_allclose(last, loss.ravel(), rtol=1e-7, atol=1e-12)
    elif format == "npz":
        with np.load(target) as arrays:
            np.testing.assert_array_equal(arrays["valid_loss"][-1], loss)
    else:
        xarray = pytest.importorskip("xarray")
        with xarray.open_dataset(target, engine="scipy") as made:
            np.testing.assert_array_equal(made["valid_loss"].values[-1], loss)
            assert set(made["valid_loss"].dims) == {"eval_step", "lr", "seed"}
