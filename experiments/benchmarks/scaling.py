"""A simulation, no measurement: how far one driver's pieces go round among many workers.

Hypothesis: with pieces of the usual five seconds one driver keeps 64 nodes busy up to 10,000 pieces
and beyond; with pieces of 10 ms its own time is the limit.
Command: python experiments/benchmarks/scaling.py [--driver-ms 2.2] [--start 8] [--spread 0.2]
Cost: seconds.
Result: README.md beside this file.

A discrete-event model. Its constants are measured ones: the driver's time for a piece
(`dealing.py`) and the seconds until a worker trains (`lrlab plan --on ray`). Workers train one
piece at a time and have one more waiting; a piece takes its mean times a factor of the log-normal
distribution with the given spread; the driver takes back and hands out one piece after another. The
network, the object store and the disk are not in it: the states of a piece are taken to be there
when it begins.
"""

from __future__ import annotations

import argparse
import heapq

import numpy as np


def makespan(pieces: int, workers: int, seconds: np.ndarray, driver: float, start: float) -> float:
    """Seconds until all pieces are back. `seconds` f64[pieces]; `driver` seconds for each."""
    free_at, clock, dealt = 0.0, [start] * workers, 0
    ends: list[tuple[float, int]] = []  # of pieces that train or wait, by worker
    for worker in np.repeat(np.arange(workers)[None], 2, 0).ravel().tolist():
        if dealt < pieces:
            free_at += driver
            clock[worker] = max(clock[worker], free_at) + float(seconds[dealt])
            heapq.heappush(ends, (clock[worker], worker))
            dealt += 1
    last = 0.0
    while ends:
        end, worker = heapq.heappop(ends)
        free_at = max(free_at, end) + driver
        last = free_at
        if dealt < pieces:
            clock[worker] = max(clock[worker], free_at) + float(seconds[dealt])
            heapq.heappush(ends, (clock[worker], worker))
            dealt += 1
    return last


def main() -> None:
    """Prints the share of the time in which workers train, beyond their start."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--driver-ms", type=float, default=2.2)
    parser.add_argument("--start", type=float, default=8.0)
    parser.add_argument("--spread", type=float, default=0.2)
    given = parser.parse_args()
    counts = (100, 1000, 10_000)
    print("| seconds of a piece | workers |", " | ".join(f"{n:,} pieces" for n in counts), "|")
    print("|---:|---:|" + "---:|" * len(counts))
    for mean in (5.0, 0.5, 0.01):
        for workers in (1, 8, 64):
            cells = []
            for pieces in counts:
                factors = np.random.default_rng(0).lognormal(0, given.spread, pieces)
                seconds = mean * factors / factors.mean()
                took = makespan(pieces, workers, seconds, given.driver_ms / 1000, given.start)
                cells.append(f"{100 * seconds.sum() / (workers * (took - given.start)):.1f} %")
            print(f"| {mean:g} | {workers} |", " | ".join(cells), "|")


if __name__ == "__main__":
    main()
