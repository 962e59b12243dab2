"""The loss on the plane of a lane's way, from the folder of its run."""

from __future__ import annotations

import json

import numpy as np
import pytest

import lrlab
from lrlab.cli.app import run
from lrlab.workflows.landscape import slice_of


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("slice") / "run"
    text = (
        'steps = 12\nseeds = 1\nlr = [1e-4, 5e-4]\nprecision = "float64"\nschedule = "constant"\n'
    )
    (out.parent / "c.toml").write_text(
        text + '[task]\nname = "rosenbrock"\n[optimizer]\nname = "sgd"\n'
    )
    assert run(["sweep", str(out.parent / "c.toml"), "--out", str(out), "--quiet"]) == 0
    return out


def test_the_way_lies_on_the_plane_and_the_loss_is_the_lanes(folder) -> None:
    cut = slice_of(folder, lr=5e-4, points=5, resolution=4)
    assert cut.lane == {"lr": 5e-4, "seed": 0}
    assert cut.steps.tolist() == [0, 3, 6, 9, 12]
    assert cut.explained == pytest.approx(1)  # two parameters: every way lies in their plane
    np.testing.assert_allclose(cut.way[-1], 0, atol=1e-12)
    assert cut.loss.shape == (4, 4) and np.isfinite(cut.loss).all()
    # Between grid points Rosenbrock is a polynomial of degree 4 on any plane: fit and compare.
    fine = slice_of(folder, lr=5e-4, points=5, resolution=9)
    u, v = (axis.ravel() for axis in np.meshgrid(fine.u, fine.v))
    powers = [(i, j) for i in range(5) for j in range(5 - i)]
    scale = max(np.abs(u).max(), np.abs(v).max())
    design = np.stack([(u / scale) ** i * (v / scale) ** j for i, j in powers], 1)
    fit = np.linalg.lstsq(design, fine.loss.ravel())[0]
    stored = lrlab.load(folder).history["train_loss"][:, 1, 0]
    for step, (a, b) in zip(cut.steps[:-1], cut.way[:-1], strict=True):
        there = sum(c * (a / scale) ** i * (b / scale) ** j
                    for c, (i, j) in zip(fit, powers, strict=True))  # fmt: skip
        assert there == pytest.approx(float(stored[step]), rel=1e-6)


@pytest.mark.slow
def test_from_the_command_line(folder, tmp_path, capsys) -> None:
    capsys.readouterr()
    asked = ["replay", str(folder), "--lr", "5e-4", "--json"]
    assert run([*asked, "--slice", str(tmp_path / "plane.png")]) == 0
    payload = json.loads(capsys.readouterr().out)
    assert payload["slice"]["explained"] == pytest.approx(1)
    assert (tmp_path / "plane.png").stat().st_size > 10_000
    assert run([*asked, "--slice", str(tmp_path / "plane.jpg")]) == 2
    with pytest.raises(ValueError, match="at least 2"):
        slice_of(folder, lr=5e-4, points=1)
