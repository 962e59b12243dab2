"""Data that stream, as the engine sees them: what of them lies on the devices, and the requests."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import jax
import numpy as np

from lrlab.core.arrays import is_aligned
from lrlab.core.text import JsonObject, counted
from lrlab.data.streams import Stream, stream_of
from lrlab.data.trees import filled
from lrlab.engine.blocks import blank, block_bytes, fill
from lrlab.engine.feed import Feed, Request
from lrlab.engine.host_data import dtype_on_host
from lrlab.engine.limits import PlanLimits
from lrlab.engine.state import LaneState, averages
from lrlab.types import Device, Problem, PyTree

SegmentIndices = Callable[[int, int, int], np.ndarray]
"""`(seed, first step, steps) -> int32[steps, batch]`: which examples each update reads."""

Blocks = Callable[[int, int, int], PyTree]
"""`(seed, first step, steps) -> batches [S x B, ...]`, on the host."""


def streams_of(data: Mapping[str, PyTree]) -> dict[str, Stream]:
    """The splits that stream."""
    found = {split: stream_of(tree) for split, tree in data.items()}
    return {split: stream for split, stream in found.items() if stream is not None}


def resident(
    problem: Problem,
    data: Mapping[str, PyTree],
    limits: PlanLimits,
    devices: Sequence[Device],
    measured: bool,
) -> tuple[Problem, dict[str, PyTree]]:
    """What lies on the devices: the splits that do not stream, or that CPU devices read where they
    are; of training data that stream an example, or a sample where something is `measured` on them
    (see `measures`). The problem then has the sample's size."""
    streams = streams_of(data)
    on_cpu = all(device.platform == "cpu" for device in devices)
    for split in [split for split in streams if split != "train" and on_cpu]:
        if (tree := in_place(streams[split], problem.dtype, limits)) is not None:
            data = {**data, split: tree}
            del streams[split]
    held = {split: tree for split, tree in data.items() if split not in streams}
    problem = problem._replace(splits=tuple(s for s in problem.splits if s not in streams))
    if "train" not in streams:
        return problem, held
    stream, rows = streams["train"], 1
    if measured:
        rows = limits.sample_batches * (problem.batch_size or 1)
        if stream.numbered is not None:
            size = max(1, block_bytes(stream, 1, problem.dtype))
            rows = max(rows, limits.sample_bytes // size)
    held["train"] = stream.head(rows)
    if rows > 1:
        problem = problem._replace(num_examples=len(jax.tree.leaves(held["train"])[0]))
    return problem, held


def measures(problem: Problem, shapes: LaneState) -> bool:
    """Whether something beside the updates reads training data: probes, or a model's statistics at
    parameters that are not the trained ones (see `refreshed`). `shapes`: those of a lane."""
    if problem.probes:
        return True
    return averages(problem, shapes) and bool(jax.tree.leaves(shapes.model))


def in_place(stream: Stream, dtype: str, limits: PlanLimits) -> PyTree | None:
    """The arrays of a stream, where XLA can read the large ones from their files as they are (small
    ones are cast): such a split is evaluated as one in memory is, to the bit. Else None."""
    arrays = None if stream.numbered is None else stream.numbered.arrays
    if arrays is None:
        return None
    wanted = [dtype_on_host(array, dtype) for array in arrays]
    cast = sum(
        array.size * to.itemsize
        for array, to in zip(arrays, wanted, strict=True)
        if array.dtype != to or not is_aligned(array)
    )
    return None if cast > limits.cast_bytes else filled(stream.first, iter(arrays))


def segment_limit(
    problem: Problem, data: Mapping[str, PyTree], limits: PlanLimits
) -> tuple[int, str] | None:
    """The most updates of a segment where training data stream, and the reason; else None."""
    stream = streams_of(data).get("train")
    if stream is None or problem.batch_size is None:
        return None
    batch = block_bytes(stream, problem.batch_size, problem.dtype)
    most = max(1, limits.stream_bytes // max(1, batch))
    mib = limits.stream_bytes >> 20
    return (
        most,
        f"segments of at most {counted(most, 'update')}: the data stream in blocks of {mib} MiB",
    )


def example_blocks(problem: Problem, data: Mapping[str, PyTree], segment_steps: int) -> Blocks:
    """Blocks that hold the first examples again and again: for timing, which reads no loader."""
    stream, batch = streams_of(data)["train"], problem.batch_size or 1
    block = blank(stream, segment_steps * batch, problem.dtype)
    few = stream.head(batch)
    rows = np.arange(segment_steps * batch) % len(jax.tree.leaves(few)[0])
    fill(block, [jax.tree.map(lambda leaf: leaf[rows], few)], "the training data")
    return lambda seed, first, count: block


def feed_for(
    problem: Problem,
    data: Mapping[str, PyTree],
    segment_steps: int,
    limits: PlanLimits,
    places: Mapping[int, JsonObject] | None = None,
) -> Feed | None:
    """What reads the training data, on from `places` where a run is continued; None where they lie
    on the devices."""
    stream = streams_of(data).get("train")
    if stream is None:
        return None
    rows = segment_steps * (problem.batch_size or 1)
    return Feed(stream, problem.dtype, rows, limits.blocks_ahead, places)


def requests(
    feed: Feed,
    indices: SegmentIndices | None,
    seeds: Iterable[int],
    segments: Sequence[tuple[int, int]],
) -> list[Request]:
    """What the segments (first, end) read, in the order in which tiles come: seed by seed."""
    wanted: dict[tuple[int, int, int], Request] = {}
    for first, end in segments:
        for seed in dict.fromkeys(feed.seed_of(int(seed)) for seed in seeds):
            rows = None
            if feed.stream.numbered is not None:
                assert indices is not None
                rows = np.asarray(indices(seed, first, end - first)).reshape(-1)
            wanted[seed, first, end - first] = Request(seed, first, end - first, rows)
    return list(wanted.values())
