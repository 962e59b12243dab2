"""What dealing costs the driver: processor time for a piece, commits, memory.

Workers of a local Ray cluster sleep instead of training, 10 ms for a lane; the lanes, the record,
the run folder and Ray are those of a sweep. `joined`: pieces are as large as usual; `alone`: each
lane is one.

    python experiments/benchmarks/dealing.py [LANES] [joined | alone] [FLOATS]

Memory is anonymous (`RssAnon`), after a quarter and half of the lanes and at the end; the last
states of all lanes, `FLOATS` numbers each (1000 where nothing is said), are kept in it, as a sweep
keeps them.
"""

from __future__ import annotations

import contextlib
import json
import pickle
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from anonymous import anonymous

import lrlab
from lrlab import runs
from lrlab.cluster import driver
from lrlab.cluster.connecting import connected
from lrlab.cluster.pieces import Held, Piece, Trained
from lrlab.cluster.pool import Pace
from lrlab.cluster.ray_pool import RayPool
from lrlab.cluster.worker import Shipment
from lrlab.core.records import OK
from lrlab.engine.results import LaneStates
from lrlab.training.group import training_group
from lrlab.training.lanes import grid_lanes
from lrlab.types import Plan

SECONDS = 0.01
STEPS = 20
FLOATS = int(sys.argv[3]) if len(sys.argv) > 3 else 1000


def slept(shipment: Shipment, content: bytes, *sources: Held) -> tuple[bytes, Held]:
    """What a worker would give, after a nap."""
    piece: Piece = pickle.loads(content)
    count = len(piece.lanes.seed)
    time.sleep(SECONDS * count)
    loss = np.ones((STEPS, count), np.float32)
    arrays = {
        "outcome": np.full(count, OK, np.int8),
        "diverged_at": np.full(count, -1),
        "last_loss": np.ones(count),
        "steps_trained": np.full(count, STEPS),
    }
    rows = {name: ("step", 0, loss) for name in ("train_loss", "learning_rate")}
    states = LaneStates(np.arange(count), [np.zeros((count, FLOATS), np.float32)])
    result = Trained(rows, {}, arrays, np.zeros(count, bool), {}, None, SECONDS * count)
    return pickle.dumps(result), Held(states)


def main(count: int, pace: Pace) -> None:
    """Deals so many lanes and prints what that took."""
    ray = connected(lrlab.core.remote.Ray())
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    rates = np.geomspace(1e-4, 1.0, count)
    experiment = lrlab.config.from_arguments(
        "sweep", task="quadratic", lr=rates, seeds=1, steps=STEPS, plan=Plan(tile_width=1)
    )
    group = training_group(lrlab.config.resolve(experiment))
    lanes = grid_lanes(group.axes, group.seeds)
    memory: list[float] = []

    @contextlib.contextmanager
    def opened(setting):
        pool = RayPool(ray, lrlab.core.remote.Ray(cpus_per_worker=1), setting, ())
        pool._task = ray.remote(slept).options(num_cpus=1, num_returns=2)
        first = pickle.dumps(pool_piece(lanes))
        ray.get([pool._task.remote(None, first)[0] for _ in range(4)])  # the workers are up
        yield pool

    def listen(now) -> None:
        memory.append(anonymous())

    with tempfile.TemporaryDirectory() as place:
        run = runs.create(Path(place) / "run", "dealing", "sweep", "", {})
        axes = {**group.axes, "seed": group.seeds}
        stage = run.stage("", STEPS, group.eval_steps, axes, np.arange(count))
        commits, commit = [], stage.commit
        stage.commit = lambda *given: (commits.append(time.monotonic()), commit(*given))
        began, processor = time.perf_counter(), time.process_time()
        driver.train(
            opened, group.problem, group.data, lanes, group.plan, eval_steps=group.eval_steps,
            recorder=stage, progress=listen, pace=pace,
        )  # fmt: skip
        took, spent = time.perf_counter() - began, time.process_time() - processor
        run.close("interrupted")
    result = {
        "lanes": count,
        "seconds": round(took, 1),
        "driver_ms_per_lane": round(1000 * spent / count, 3),
        "commits": len(commits),
        "memory_mib": [round(memory[k]) for k in (len(memory) // 4, len(memory) // 2, -1)],
    }
    print(json.dumps(result))


def pool_piece(lanes) -> Piece:
    """A piece that is only there to begin a worker."""
    one = lanes._replace(hyper={"lr": lanes.hyper["lr"][:1]}, seed=lanes.seed[:1])
    return Piece(one, 0, STEPS, {})


if __name__ == "__main__":
    alone = sys.argv[2:3] == ["alone"]
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5000, Pace(shortest=0.0) if alone else Pace())
