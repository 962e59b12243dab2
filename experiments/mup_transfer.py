"""Does the best learning rate of a narrow network hold for a wide one?

Hypothesis: in muP (Yang et al. 2022, arXiv 2203.03466) it does, in the standard parametrization the
best rate of Adam falls with width, and every layer's first updates are as large at every width in
muP alone.
Command: python experiments/mup_transfer.py [--full] [--config configs/mup_transfer.toml]
Cost: 234 runs of 200 steps and two coordinate checks, about a minute on 2 idle CPU cores.
Result: see experiments/README.md; the figures and the table go to --out.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import lrlab
from lrlab import api, config, models, scaling
from lrlab.report.figures.coordinates import coordinates
from lrlab.report.figures.style import use

CONFIG = Path(__file__).parent.parent / "configs" / "mup_transfer.toml"
FULL = ("study.values=[32, 64, 128, 256, 512, 1024, 2048]", "seeds=8", "lr={log=[1e-5, 0.3, 25]}")
WIDTHS = (64, 128, 256, 512, 1024)


def checks(experiment: config.Experiment, widths: tuple[int, ...]):
    """The coordinate check in both parametrizations, on 64 training images."""
    task = experiment.task
    assert task.model is not None and task.data is not None
    options = dict(task.model.model_extra or {})
    x, y = lrlab.data.load(task.data.name).splits()["train"]

    def net(width: int):
        return models.module("mlp", 10, **{**options, "width": width})

    for name in ("standard", "mup"):
        yield scaling.coordinate_check(
            net, x[:64], y[:64], widths=widths, parametrization=name,
            optimizer=experiment.optimizer.name, lr=2.0**-8,
        )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", default=str(CONFIG))
    parser.add_argument("--set", dest="settings", action="append", default=[], metavar="A.B=VALUE")
    parser.add_argument("--full", action="store_true", help="widths up to 2,048, 25 rates, 8 seeds")
    parser.add_argument("--out", type=Path, default=Path("mup_transfer"))
    arguments = parser.parse_args()
    settings = (*(FULL if arguments.full else ()), *arguments.settings)
    experiment = config.load(arguments.config, settings, command="study")
    arguments.out.mkdir(parents=True, exist_ok=True)
    found = api.run("study", experiment, record=False).value
    print(found)
    with use("light"):
        found.plot().savefig(arguments.out / "mup_transfer.png", dpi=150)
    made = list(checks(experiment, (*WIDTHS, 2048, 4096) if arguments.full else WIDTHS))
    for check in made:
        print(check)
    with use("light"):
        coordinates(made).savefig(arguments.out / "coordinate_check.png", dpi=150)
    print(f"Figures: {arguments.out}/mup_transfer.png, {arguments.out}/coordinate_check.png")


if __name__ == "__main__":
    main()
