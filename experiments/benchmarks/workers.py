"""Does Ray cost anything on one machine, and what does a killed worker cost?

Hypothesis: beyond its start, a sweep dealt to two local workers of one core each takes at most 10 %
longer than the same sweep in one process with two devices.
Command: python experiments/benchmarks/workers.py local | ray | ray-1 | ray-2 | killed | lanes
Cost: one to three minutes each on 2 CPU cores that nothing else uses.
Result: README.md beside this file.

The sweep: an MLP 64-128-128-10, batches of 128, momentum, so many rates of one seed (256 unless
`--lanes` says otherwise), tiles of 4. It runs with N and with 2 N updates; the difference is what N
updates take, and what is left of the first is the start: processes, imports, compiling. `ray`:
workers as they are unless said, one for the node. `killed`: two workers, one of which is killed
after a third of the time. `lanes`: two workers, more and more lanes.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import threading
import time
from pathlib import Path

import lrlab
from lrlab.cluster.connecting import connected


def took(lanes: int, steps: int, on: lrlab.Ray | None) -> float:
    """Seconds of one sweep."""
    task = lrlab.tasks.load("digits-mlp", width=128, depth=2)
    began = time.perf_counter()
    lrlab.sweep(
        task, optimizer="momentum", lr=lrlab.log_grid(1e-4, 0.1, lanes), seeds=1, steps=steps,
        batch_size=128, eval_every=steps, progress=False, plan=lrlab.Plan(4), on=on, keep="none",
    )  # fmt: skip
    return time.perf_counter() - began


def workers() -> list[int]:
    """The processes of Ray that train, by their title."""
    found = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if place.read_bytes().startswith(b"ray::work"):
                found.append(int(place.parent.name))
        except OSError:
            continue
    return found


def slope(lanes: int, steps: int, on: lrlab.Ray | None) -> dict[str, float]:
    """Seconds that so many updates take, and those of the start."""
    short, long = took(lanes, steps, on), took(lanes, 2 * steps, on)
    each = long - short
    return {
        "lanes": lanes,
        "seconds": round(each, 2),
        "start": round(short - each, 2),
        "lane_steps_per_s": round(lanes * steps / each),
    }


def killed(lanes: int, steps: int, on: lrlab.Ray) -> dict[str, float]:
    """The same sweep undisturbed, and with a worker killed after a third of that time."""
    took(lanes, steps // 4, on)  # the cluster and its workers are up
    whole = took(lanes, steps, on)
    timer = threading.Timer(whole / 3, lambda: os.kill(workers()[0], signal.SIGKILL))
    timer.start()
    hurt = took(lanes, steps, on)
    timer.join()
    cost = round(hurt - whole, 2)
    return {"undisturbed": round(whole, 2), "killed": round(hurt, 2), "cost": cost}


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("way", choices=("local", "ray", "ray-1", "ray-2", "killed", "lanes"))
    parser.add_argument("--lanes", type=int, default=256)
    parser.add_argument("--steps", type=int, default=300)
    given = parser.parse_args()
    count = 1 if given.way == "ray-1" else 2
    ways = {"local": None, "ray": lrlab.Ray()}
    on = ways.get(given.way, lrlab.Ray(workers=count, cpus_per_worker=1))
    if on is not None:
        connected(on)
    if given.way == "killed":
        assert on is not None
        print(json.dumps({"way": given.way, **killed(given.lanes, given.steps, on)}))
    else:
        counts = [given.lanes >> k for k in (4, 2, 0)] if given.way == "lanes" else [given.lanes]
        for lanes in counts:
            print(json.dumps({"way": given.way, **slope(lanes, given.steps, on)}), flush=True)
