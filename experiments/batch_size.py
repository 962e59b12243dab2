"""How does the best learning rate go with the batch size?

Hypothesis: with SGD and a fixed number of updates it grows in proportion to the batch size while
gradient noise decides (Goyal et al. 2017, arXiv 1706.02677), and stops growing where curvature does
(the critical batch size; McCandlish et al. 2018, arXiv 1812.06162); with Adam it grows more slowly,
about as the square root (Malladi et al. 2022, arXiv 2205.10287).
Command: python experiments/batch_size.py [--full] [--config configs/batch_size.toml]
Cost: 546 runs of 300 steps, 15 s of CPU time.
Result: see experiments/README.md; the figure and the tables go to --out.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from lrlab import api, config
from lrlab.report.figures.study import panels
from lrlab.report.figures.style import use
from lrlab.scaling.laws import law_of

CONFIG = Path(__file__).parent.parent / "configs" / "batch_size.toml"
STUDIES = {
    "SGD": (),
    "Adam": ("optimizer.name=adam", "lr={log=[3e-5, 0.3, 13]}"),
}
SMALL = 16
"""Where gradient noise decides, in the first run of this experiment."""
FULL = ("study.values=[1, 2, 4, 8, 16, 32, 64, 128, 256, 512]", "seeds=8", "steps=1000",
        "eval_every=1000")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", default=str(CONFIG))
    parser.add_argument("--set", dest="settings", action="append", default=[], metavar="A.B=VALUE")
    parser.add_argument("--full", action="store_true", help="batch 1 to 512, 1,000 steps, 8 seeds")
    parser.add_argument("--out", type=Path, default=Path("batch_size"))
    arguments = parser.parse_args()
    found = {}
    for title, settings in STUDIES.items():
        more = FULL if arguments.full else ()
        experiment = config.load(
            arguments.config, (*settings, *more, *arguments.settings), command="study"
        )
        found[title] = api.run("study", experiment, record=False).value
        print(f"\n{title}\n{found[title]}")
        small = law_of([group for group in found[title].groups if group.value <= SMALL])
        if small.fit is not None:
            slope = small.fit.exponent
            print(f"Up to batch {SMALL} alone: batch^{slope.value:.2f} ({slope.low:.2f} to "
                  f"{slope.high:.2f})")  # fmt: skip
    arguments.out.mkdir(parents=True, exist_ok=True)
    with use("light"):
        picture = panels({title: study.payload() for title, study in found.items()})
        picture.savefig(arguments.out / "batch_size.png", dpi=150)
    print(f"Figure: {arguments.out}/batch_size.png")


if __name__ == "__main__":
    main()
