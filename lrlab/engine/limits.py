"""What bounds a plan and the training that follows it: every number with its unit and reason."""

from __future__ import annotations

from typing import NamedTuple


class PlanLimits(NamedTuple):
    """The limits of planning, timing and training; an argument wherever they count.

    None of them changes a recorded array, except through the tile width.

    >>> PlanLimits(segment_steps=100).segment_steps
    100
    """

    segment_steps: int = 1000
    """Updates in a segment, at most: bounds the memory of its batch indices and rows, and the wait
    after Ctrl-C."""

    cache_bytes: int = 512 << 10
    """Bytes that the states of a tile may take on CPU: half of a second-level cache of 1 MiB, so
    that weights stay in it from one update to the next."""

    tile_width: int = 512
    """Lanes in a tile on CPU, at most, however small their states are."""

    accelerator_tile_width: int = 4096
    """Lanes in a tile on an accelerator, at most."""

    accelerator_share: float = 0.5
    """Share of an accelerator's memory that one update of a tile may take. Training that runs out
    of memory anyway is continued with half the tile width."""

    states_per_update: int = 4
    """What one update takes, in sizes of a lane's state: the state itself, and three times as much
    for gradients and activations. Also the times that it moves a state through memory."""

    resident_bytes: int = 2 << 30
    """Bytes of lane states on CPU that are held at once; further lanes wait for their cohort."""

    many_lanes: int = 4096
    """Lanes of a recorded run beyond which `many_bytes` counts in place of `resident_bytes`: nobody
    looks at the weights of each, and a commit holds some copies of what is held."""

    many_bytes: int = 128 << 20
    """Bytes of lane states that such a run holds at once, and of weights that it keeps."""

    kept_bytes: int = 256 << 20
    """Bytes of weights that a run without a folder keeps for afterwards where nobody said whether
    it should: as much as a small model in many lanes, or a large one in a few, has."""

    resident_share: float = 0.25
    """The same for accelerators, as a share of their memory."""

    tiles_ahead: int = 4
    """Tiles per device that are sent before the first one's results are fetched: a device never
    waits for the host, and only the results of these tiles are held."""

    dealing_gain: float = 0.1
    """Share of a segment's time that must be saved before tiles move to other devices at its
    beginning: less than that is the jitter of what was timed."""

    filling_gain: float = 0.1
    """Share of the time that tiles of another width must save by leaving fewer places empty: widths
    near the fastest one differ by a few percent themselves."""

    dealt_share: float = 0.4
    """Share of an accelerator's memory that states may take after tiles have moved to it: more than
    `resident_share`, as it can take more tiles only where another one takes fewer."""

    tiles_between_releases: int = 256
    """Tiles of a segment after which rows that lie in a file leave the memory."""

    spill_bytes: int = 512 << 20
    """Bytes of one metric's rows beyond which they lie in a file (where temporary files go)."""

    recorded_spill_bytes: int = 64 << 20
    """The same where a run folder gets the rows too, and has them for whoever asks later."""

    stream_bytes: int = 16 << 20
    """Bytes of a block of streamed batches, which is what a segment reads of a seed (one batch at
    least): small beside a process that has loaded JAX, and read in far more time than a visit of
    the host takes."""

    blocks_ahead: int = 2
    """Blocks that are read before training asks for them: one that waits, while the next is read
    into the other's place."""

    sample_bytes: int = 64 << 20
    """Bytes of streamed training examples that lie on the devices where something measures on them
    (probes, statistics of BatchNorm at averaged parameters): all of a smaller split."""

    sample_batches: int = 16
    """Batches that such a sample holds at least."""

    cast_bytes: int = 64 << 20
    """Bytes that arrays of a streamed split may take in memory, where others of it are read from
    their files as they are: labels in int64, which NumPy gives, beside float32 inputs."""

    timing_share: float = 0.05
    """Share of the expected run that timing tile widths may take."""

    timing_seconds: float = 2.0
    """Seconds that it may take in any case."""

    worth_timing_seconds: float = 15.0
    """Seconds of work by count of operations; a shorter run is not worth another compilation."""

    cpu_flops: float = 25e9
    """FLOP/s per CPU core that this count assumes. Not measured on the spot, so that the same run
    is timed or left alone on every repetition."""

    accelerator_flops: float = 5e12
    """FLOP/s per accelerator that this count assumes."""

    sample_seconds: float = 0.15
    """Seconds of training that are a sample of a tile width's speed: many times the clock's and
    the scheduler's jitter."""

    sample_attempts: int = 8
    """Trainings per sample, each four times as long as the one before, until one is long enough."""


LIMITS = PlanLimits()
"""The limits of every run that names no others."""
