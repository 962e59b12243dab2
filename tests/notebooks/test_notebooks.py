"""The notebooks of `docs/notebooks` run from beginning to end, as a reader runs them."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat", reason="needs nbclient and ipykernel")
nbclient = pytest.importorskip("nbclient", reason="needs nbclient and ipykernel")
pytest.importorskip("ipykernel", reason="needs nbclient and ipykernel")

FOLDER = Path(__file__).parents[2] / "docs" / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))

FRESH = """import lrlab
task = lrlab.tasks.load("iris-linear")
result = lrlab.sweep(task, lr=[0.01, 0.1, 1.0], optimizer="sgd", steps=20, seeds=2, batch_size=16)
result.plot()"""


def executed(cells: list[str], folder: Path) -> list[list]:
    """The outputs of each cell, in a fresh kernel that has the settings of a user's."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(one) for one in cells])
    run(notebook, folder)
    return [cell["outputs"] for cell in notebook.cells]


def run(notebook, folder: Path) -> None:
    env = {name: value for name, value in os.environ.items() if name != "MPLBACKEND"}
    client = nbclient.NotebookClient(
        notebook, timeout=1800, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    )
    before = signal.getsignal(signal.SIGINT)  # nbclient leaves another one behind
    try:
        client.execute(env=env)
    finally:
        signal.signal(signal.SIGINT, before)


def stderr(outputs: list) -> str:
    return "".join(one.get("text", "") for one in outputs if one.get("name") == "stderr")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of Jupyter's own packages
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path, tmp_path) -> None:
    notebook = nbformat.read(path, as_version=4)
    run(notebook, tmp_path)
    outputs = [out for cell in notebook.cells for out in cell.get("outputs", ())]
    assert any("image/png" in out.get("data", {}) for out in outputs)
    assert not any(out["output_type"] == "error" for out in outputs)
    assert stderr(outputs) == ""  # neither warnings nor lines of progress


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_fresh_kernel_draws_once_and_has_one_line_of_progress(tmp_path) -> None:
    cells = [
        FRESH,
        'lrlab.schedules.plot(["cosine", "linear"], steps=50)',
        "import matplotlib.pyplot as plt\nlrlab.schedules.plot(['cosine'], steps=50)",
        "result.best()",
    ]
    swept, drawn, with_pyplot, card = executed(cells, tmp_path)
    for outputs in (swept, drawn, with_pyplot):
        assert sum("image/png" in out.get("data", {}) for out in outputs) == 1
    lines = [out for out in swept if "done in" in out.get("data", {}).get("text/plain", "")]
    assert len(lines) == 1 and stderr(swept) == ""
    assert "<script" not in card[0]["data"]["text/html"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_stands_with_its_outputs(path) -> None:
    """Who reads it on a page sees pictures, and no path of the machine that made them."""
    text = path.read_text(encoding="utf-8")
    assert '"image/png"' in text and '"ename"' not in text
    assert not re.search(r"/(work|root|tmp|home)/", text)


def test_there_are_notebooks() -> None:
    assert len(NOTEBOOKS) == 2
