"""Weights & Biases, online or offline."""

from __future__ import annotations

import contextlib
import json
import shutil
import struct
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lrlab.core.text import JsonObject
from lrlab.loggers.protocol import Logger, Place
from lrlab.loggers.series import outcome, scalars

if TYPE_CHECKING:
    from wandb import Run

HEADER = 7
"""Bytes at the beginning of a `.wandb` file: ":W&B", a number, a version."""

BLOCK = 32768
"""Bytes of a block of LevelDB's log format, in which the rest of the file is (LevelDB's
doc/log_format.md). No chunk crosses the end of one."""

CHUNK = 7
"""Bytes in front of a chunk: checksum (4), length (2), kind (1)."""

FULL, FIRST, MIDDLE, LAST = 1, 2, 3, 4
"""Kinds of chunks: a whole record, or a part of one."""

QUIET = 2.0
"""Seconds without a change after which a file counts as left: the process of W&B that wrote it ends
within one of the death of ours (measured with wandb 0.31: below 0.5)."""


def wandb(
    place: Place,
    *,
    project: str = "lrlab",
    entity: str = "",
    mode: str = "",
    name: str = "",
    group: str = "",
    tags: list[str] = [],  # noqa: B006 - read as an option's default, never changed
) -> Logger:
    """Weights & Biases; offline directories are in `log/wandb` of the run folder
    (`wandb sync RUN/log/wandb/offline-run-*`).

    Args:
        project, entity, name, group, tags: W&B's own; `name` is the run's where none is given.
        mode: "online", "offline", "shared" or "disabled"; else W&B's own (`WANDB_MODE`).

    The steps of a search grow from stage to stage (a run's length each).
    """
    given = {"entity": entity, "mode": mode, "group": group, "tags": tags}
    options = {key: value for key, value in given.items() if value}
    return Wandb(place, {"project": project, "name": name or place.name, **options})


class Wandb:
    """The logger. A class because it holds W&B's run, whose process writes behind ours.

    What was handed over when ours was killed may be lost. So nobody goes by what was handed over: a
    continued run reads from the offline directories of its id which steps are in them (online, W&B
    says it), and hands over the rest.
    """

    verifies = True

    def __init__(self, place: Place, options: JsonObject) -> None:
        self.place, self.options = place, options
        self.run: Run | None = None
        self.config, self.last = JsonObject(), 0

    def start(self, config: JsonObject) -> int:
        """Opens W&B's run, and says which step it has."""
        import wandb as package

        self.config = config
        if self.run is None:
            folder = self.place.folder
            if folder is not None:
                folder.mkdir(parents=True, exist_ok=True)
                self.last = max(steps_under(folder / "wandb", self.place.id), default=0)
            self.run = package.init(
                id=self.place.id,
                resume="allow",
                dir=None if folder is None else str(folder),
                config=config["experiment"],
                reinit="create_new",
                settings=package.Settings(silent=True, console="off"),
                **self.options,
            )
            self.last = max(self.last, self.run.starting_step - 1)
        return max(0, self.last - config["first_step"])

    def lanes(self, step: int, metrics: Mapping[str, np.ndarray]) -> None:
        """Hands the numbers of a step over."""
        assert self.run is not None
        self.last = self.config["first_step"] + step
        self.run.log(scalars(metrics, self.config), step=self.last)

    def finish(self, summary: JsonObject, files: Sequence[Path]) -> None:
        """Sets the answer as W&B's summary, stores the files, and ends the run."""
        assert self.run is not None
        self.run.summary.update({f"answer.{name}": v for name, v in outcome(summary).items()})
        for file in files:  # W&B links to files elsewhere, and warns of it
            copy = shutil.copy(file, self.run.dir)
            self.run.save(str(copy), base_path=self.run.dir, policy="now")
        self.run.finish()
        self.run = None

    def close(self) -> None:
        """Ends the run as one that failed; a resumed run continues it."""
        if self.run is not None:
            self.run.finish(exit_code=1)
            self.run = None


def steps_under(folder: Path, name: str) -> set[int]:
    """The steps in all offline directories of an id, as soon as nobody writes there."""
    files = sorted(folder.glob(f"offline-run-*-{name}/run-{name}.wandb"))
    while files and time.time() - max(file.stat().st_mtime for file in files) < QUIET:
        time.sleep(QUIET / 10)
    return {step for file in files for step in steps_in(file)}


def steps_in(file: Path) -> Iterator[int]:
    """The steps in a `.wandb` file, up to the first record that is not whole."""
    from wandb.proto import wandb_internal_pb2

    record_of: Callable[[bytes], Any] = vars(wandb_internal_pb2)["Record"].FromString
    for content in records_in(file.read_bytes()):
        record = record_of(content)
        if record.HasField("history"):
            for item in record.history.item:
                if item.key == "_step" or list(item.nested_key) == ["_step"]:
                    with contextlib.suppress(ValueError):
                        yield int(json.loads(item.value_json))


def records_in(content: bytes) -> Iterator[bytes]:
    """The whole records of a `.wandb` file.

    >>> chunk = struct.pack("<IHB", zlib.crc32(bytes([FULL]) + b"abc"), 3, FULL) + b"abc"
    >>> list(records_in(b":W&B" + bytes(3) + chunk + chunk[:8]))
    [b'abc']
    """
    place, parts = HEADER, b""
    while place + CHUNK <= len(content):
        left = BLOCK - place % BLOCK
        if left < CHUNK:  # filled with zeros
            place += left
            continue
        checksum, length, kind = struct.unpack_from("<IHB", content, place)
        data = content[place + CHUNK : place + CHUNK + length]
        if len(data) < length or zlib.crc32(bytes([kind]) + data) != checksum:
            return
        place += CHUNK + length
        parts = data if kind in (FULL, FIRST) else parts + data
        if kind in (FULL, LAST):
            yield parts
