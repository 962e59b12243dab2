"""Should the learning rate get smaller as the network gets wider, or deeper?

Hypothesis: with Adam and the usual initialization, yes: the best rate falls with width (hidden
layers move by width times the rate) and with depth. In muP, and with residual branches scaled by
depth^-1/2, it need not.
Command: python experiments/wider_deeper.py [--full]
Cost: 663 runs of 300 steps, 75 s on 2 CPU cores that ran tests beside it.
Result: see experiments/README.md; the figure and the tables go to --out.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from lrlab import api, config
from lrlab.report.figures.study import panels
from lrlab.report.figures.style import use

CONFIGS = Path(__file__).parent.parent / "configs"
STUDIES = {
    "Wider, standard": ("wider.toml", ()),
    "Deeper, plain": ("deeper.toml", ()),
    "Deeper, residual": ("deeper.toml", ("task.model.residual=true",)),
    "Deeper, residual, depth-muP": (
        "deeper.toml",
        ("task.model.residual=true", "study.parametrization=mup"),
    ),
}
FULL = {
    "wider.toml": ("study.values=[16, 32, 64, 128, 256, 512, 1024]", "seeds=8"),
    "deeper.toml": ("study.values=[2, 4, 8, 16, 32, 64]", "seeds=8"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--set", dest="settings", action="append", default=[], metavar="A.B=VALUE")
    parser.add_argument("--full", action="store_true", help="width to 1,024, depth to 64, 8 seeds")
    parser.add_argument("--out", type=Path, default=Path("wider_deeper"))
    arguments = parser.parse_args()
    found = {}
    for title, (file, settings) in STUDIES.items():
        more = FULL[file] if arguments.full else ()
        experiment = config.load(
            str(CONFIGS / file), (*settings, *more, *arguments.settings), command="study"
        )
        found[title] = api.run("study", experiment, record=False).value
        print(f"\n{title}\n{found[title]}")
    arguments.out.mkdir(parents=True, exist_ok=True)
    with use("light"):
        picture = panels({title: study.payload() for title, study in found.items()})
        picture.savefig(arguments.out / "wider_deeper.png", dpi=150)
    print(f"Figure: {arguments.out}/wider_deeper.png")


if __name__ == "__main__":
    main()
