"""Where the time of `lrlab find configs/digits.toml` goes: a table, from one run of it here.

Hypothesis: no stage but the imports of JAX takes a quarter of it.
Command: `python experiments/benchmarks/stages.py` (half a minute), in a folder for its run; twice,
as the first one may compile. Result: README.md beside this.

A stage's time is that of the thread which works for the prompt, without the stages inside it: by
the processor it is work, also on a machine that others use; by the clock it is waited for too.
"""

from __future__ import annotations

import functools
import importlib
import itertools
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from prompt import FIND

IMPORTS = ("lrlab.cli", "jax", "lrlab.api", "lrlab.workflows.report")

STAGES = {
    "configuration read": ["lrlab.config:load"],
    "task and model loaded": ["lrlab.training.task:parametrized"],
    "experiment checked": ["lrlab.training.group:training_group"],
    "step counted and planned": ["lrlab.engine.flops:step_cost", "lrlab.engine.plan:make_plan",
                                 "lrlab.engine.tuning:tuned"],
    "identity hashed": ["lrlab.training.fingerprint:data_digest",
                        "lrlab.engine.program_digest:program_digest"],
    "folder begun": ["lrlab.runs:create", "lrlab.training.manifest:manifest_of",
                     "lrlab.runs.recorder:Stage.__init__"],
    "programs traced and lowered": ["lrlab.engine.executables:_compile"],
    "programs compiled or loaded": ["lrlab.engine.executables:_compiled",
                                    "lrlab.engine.executables:_load_in"],
    "batches drawn": ["lrlab.data.batches:_block"],
    "trained": ["lrlab.engine.loop:train", "lrlab.engine.segments:train_segment",
                "lrlab.engine.tiles:begin"],
    "evaluated": ["lrlab.engine.segments:evaluate_first", "lrlab.engine.segments:measured"],
    "commits waited for": ["lrlab.runs.recorder:Stage.wait"],
    "run ended": ["lrlab.runs.recorder:Stage.finish", "lrlab.workflows.job:finish"],
    "search decided": ["lrlab.search.find:find", "lrlab.search.answer:from_scores"],
    "answer read and printed": ["lrlab.report.content.reading:read_all",
                                "lrlab.cli.training:report"],
    "page written": ["lrlab.report.html.page:write_html"],
    "figures drawn": ["lrlab.report.drawing:draw"],
    "process for figures begun": ["lrlab.report.drawing:drawn_later"],
}  # fmt: skip
"""What the table says -> functions that do it, `module:name`."""


def watched(stage: str, function: Callable[..., Any], spent: dict[str, list[float]]) -> Any:
    """The function, whose time is added to its stage: seconds by the clock, by the processor."""
    here = threading.get_ident()
    within = spent.setdefault("", [])  # what the stages inside the present one took

    @functools.wraps(function)
    def call(*args: Any, **named: Any) -> Any:
        if threading.get_ident() != here:
            return function(*args, **named)
        began, outer = (time.perf_counter(), time.thread_time()), within[:]
        within[:] = [0.0, 0.0]
        try:
            return function(*args, **named)
        finally:
            took = time.perf_counter() - began[0], time.thread_time() - began[1]
            total = spent.setdefault(stage, [0.0, 0.0])
            for place in (0, 1):
                total[place] += took[place] - within[place]
            within[:] = [a + b for a, b in zip(outer or [0.0, 0.0], took, strict=True)]

    return call


def main() -> None:
    """Runs the command here, and prints what its stages took."""
    marks = [("start of Python", time.perf_counter(), time.process_time())]
    for name in IMPORTS:
        importlib.import_module(name)
        marks.append((f"import {name}", time.perf_counter(), time.process_time()))
    spent: dict[str, list[float]] = {}
    for stage, places in STAGES.items():
        for module, _, name in (place.partition(":") for place in places):
            owner: Any = importlib.import_module(module)
            *path, last = name.split(".")
            owner = functools.reduce(getattr, path, owner)
            before = getattr(owner, last)
            after = watched(stage, before, spent)
            setattr(owner, last, after)
            for other in [m for n, m in sys.modules.items() if n.startswith("lrlab") and m]:
                for key in [key for key, value in vars(other).items() if value is before]:
                    setattr(other, key, after)
    from lrlab.cli.app import run

    began = time.perf_counter(), time.thread_time()
    status = run(FIND[3:])
    whole = time.perf_counter() - began[0], time.thread_time() - began[1]
    del spent[""]
    rest = [total - sum(row[place] for row in spent.values()) for place, total in enumerate(whole)]
    rows = [(b[0], b[1] - a[1], b[2] - a[2]) for a, b in itertools.pairwise(marks)]
    rows += [(stage, *row) for stage, row in spent.items()] + [("the rest", *rest)]
    print("| stage | clock, s | processor, s |\n|---|---:|---:|", file=sys.stderr)
    for stage, clock, processor in rows:
        print(f"| {stage} | {clock:.2f} | {processor:.2f} |", file=sys.stderr)
    sys.exit(status)


if __name__ == "__main__":
    main()
