"""TensorBoard: event files, written by tensorboardX (no TensorFlow)."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lrlab.core.text import JsonObject
from lrlab.loggers.protocol import Logger, Place
from lrlab.loggers.series import outcome, scalars

if TYPE_CHECKING:
    from tensorboardX import SummaryWriter

FOLDER = "tensorboard-logs"
"""Where event files go of what is recorded in no run folder and names no folder."""


def tensorboard(place: Place, *, folder: str = "") -> Logger:
    """TensorBoard event files: `tensorboard --logdir RUN/log/tensorboard`.

    Args:
        folder: the log folder of the group's TensorBoard, in which the run has a folder of its
            own; else `log/tensorboard` in the run folder.

    The steps of a search grow from stage to stage (a run's length each).
    """
    if folder or place.folder is None:
        return TensorBoard(Path(folder or FOLDER) / f"{place.name}-{place.id}")
    return TensorBoard(place.folder / "tensorboard")


class TensorBoard:
    """The logger. A class because it holds the writer, and which numbers the files hold.

    Every process writes a file of its own. A killed one may end within a record, which readers of
    TensorBoard stop at; what is whole in front of that is there and is not written again.
    """

    verifies = True

    def __init__(self, folder: Path) -> None:
        self.folder, self.config = folder, JsonObject()
        self.writer: SummaryWriter | None = None
        self.held: set[tuple[str, int]] = set()

    def start(self, config: JsonObject) -> int:
        """Opens a file, where none is open, and looks what the earlier ones hold."""
        from tensorboardX import SummaryWriter

        self.config = config
        if self.writer is None:
            files = sorted(self.folder.glob("events.out.tfevents.*"))
            self.held = {one for file in files for one in numbers_in(file)}
            suffix = f".{len(files)}"
            self.writer = SummaryWriter(str(self.folder), filename_suffix=suffix)
            if not self.held:
                text = json.dumps(config["experiment"], indent=1)
                self.writer.add_text("config", f"```json\n{text}\n```")
        return 0  # which numbers of a step are there is known one by one

    def lanes(self, step: int, metrics: Mapping[str, np.ndarray]) -> None:
        """Writes the numbers of a step that are not there yet, out to the file."""
        assert self.writer is not None
        at = self.config["first_step"] + step
        for name, value in scalars(metrics, self.config).items():
            if (name, at) not in self.held:
                self.writer.add_scalar(name, value, at)
                self.held.add((name, at))
        self.writer.flush()

    def finish(self, summary: JsonObject, files: Sequence[Path]) -> None:
        """Writes the answer as a text."""
        assert self.writer is not None
        rows = "\n".join(f"| {name} | {value} |" for name, value in outcome(summary).items())
        self.writer.add_text("answer", f"| | |\n|---|---|\n{rows}")
        self.close()

    def close(self) -> None:
        """Closes the file."""
        if self.writer is not None:
            self.writer.close()
            self.writer = None


def numbers_in(file: Path) -> Iterator[tuple[str, int]]:
    """(name, step) of every number in an event file, up to the first record that is not whole."""
    from tensorboardX.proto import event_pb2

    event_of: Callable[[bytes], Any] = vars(event_pb2)["Event"].FromString  # made when imported
    for record in records_in(file.read_bytes()):
        event = event_of(record)
        for value in event.summary.value:
            if value.HasField("simple_value"):
                yield value.tag, event.step


def records_in(content: bytes) -> Iterator[bytes]:
    """The whole records of a TFRecord file: a length (8 bytes), its checksum (4), the data, their
    checksum (4). A process that is killed leaves a prefix of what it wrote, so that lengths say
    which are whole.

    >>> list(records_in(struct.pack("<Q4x3s4x", 3, b"abc") + struct.pack("<Q", 9)))
    [b'abc']
    """
    place = 0
    while place + 12 <= len(content):
        (length,) = struct.unpack_from("<Q", content, place)
        end = place + 12 + length
        if end + 4 > len(content):
            return
        yield content[place + 12 : end]
        place = end + 4
