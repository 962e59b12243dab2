"""What trackers hold of a run, read back with their own packages: (name, step) of every number, as
often as it is there."""

from __future__ import annotations

import importlib
import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np

import lrlab
from lrlab.loggers import tensorboard_tracker, wandb_tracker

Numbers = dict[tuple[str, int], list[float]]


def tensorboard(run: Path) -> Numbers:
    from tensorboardX.proto import event_pb2

    found: Numbers = {}
    for file in sorted((run / "log" / "tensorboard").glob("events.out.tfevents.*")):
        for record in tensorboard_tracker.records_in(file.read_bytes()):
            event = vars(event_pb2)["Event"].FromString(record)
            for value in event.summary.value:
                if value.HasField("simple_value"):
                    found.setdefault((value.tag, event.step), []).append(value.simple_value)
    return found


def wandb(run: Path) -> Numbers:
    """Of all offline directories of the run's id together."""
    from wandb.proto import wandb_internal_pb2

    found: Numbers = {}
    name = json.loads((run / "log" / "cursor.json").read_text())["id"]
    for file in sorted((run / "log" / "wandb").glob(f"offline-run-*-{name}/*.wandb")):
        for content in wandb_tracker.records_in(file.read_bytes()):
            record = vars(wandb_internal_pb2)["Record"].FromString(content)
            row = {
                item.key or ".".join(item.nested_key): json.loads(item.value_json)
                for item in record.history.item
            }
            for key, value in row.items():
                if not key.startswith("_"):
                    found.setdefault((key, int(row["_step"])), []).append(value)
    return found


def mlflow(run: Path, uri: str) -> Numbers:
    from mlflow.tracking import MlflowClient

    client, found = MlflowClient(tracking_uri=uri), Numbers()
    name = json.loads((run / "log" / "cursor.json").read_text())["id"]
    owners = [one.experiment_id for one in client.search_experiments()]
    (there,) = client.search_runs(owners, f"tags.`lrlab.id` = '{name}'")
    for key in there.data.metrics:
        for one in client.get_metric_history(there.info.run_id, key):
            found.setdefault((key, one.step), []).append(one.value)
    return found


def trackio(run: Path, project: str = "lrlab") -> Numbers:
    """Of the database that `TRACKIO_DIR` names, which the package reads when it is imported."""
    storage = importlib.import_module("trackio.sqlite_storage").SQLiteStorage
    name = json.loads((run / "log" / "cursor.json").read_text())["id"]
    (there,) = (one for one in storage.get_runs(project) if one.endswith(name))
    found: Numbers = {}
    for row in storage.get_logs(project, there):
        for key, value in row.items():
            if key not in ("step", "timestamp") and not key.startswith("answer/"):
                found.setdefault((key, int(row["step"])), []).append(value)
    return found


def check(
    numbers: Numbers, run: Path, metrics: Iterable[str] = ("valid_loss", "train_loss")
) -> None:
    """Each step once, none missing, and the numbers are the result's."""
    result = lrlab.load(run)
    twice = {key: n for key, n in Counter({k: len(v) for k, v in numbers.items()}).items() if n > 1}
    assert not twice
    names = [
        f"lr_{lr:.4g}/seed_{seed}" for lr in result.lr.tolist() for seed in result.seeds.tolist()
    ]
    for metric in metrics:
        for row, step in enumerate(result.eval_steps.tolist()):
            place = row if metric in result.evaluated else step - 1
            values = result.history[metric][place].ravel()
            for name, value in zip(names, values.tolist(), strict=True):
                held = numbers.get((f"{metric}/{name}", step), [])
                if np.isfinite(value):
                    np.testing.assert_allclose(held, [value], rtol=1e-6, atol=1e-7)
                else:
                    assert not held
