"""The schema: every key of a configuration, its type, its limits and its default, once.

Open tables (`task`, `task.model`, `task.data`, `optimizer`, `schedule`) take the options of the
thing they name; `checks` compares those with the registries.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

from lrlab.config.lanes import Axis, BatchSize, Budget, Interval, LearningRate, Seeds

_CLOSED = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)
_OPEN = ConfigDict(extra="allow", strict=True, allow_inf_nan=False, frozen=True)

MAX_STEPS = 2**31 - 2
"""Steps are counted in int32, one past the last included."""

DEFAULT_STEPS = 2000


class ModelSpec(BaseModel):
    """`[task.model]`: a network by name and its options (see `lrlab ls models`)."""

    model_config = _OPEN
    name: str | None = None  # absent beside `task.name`: that task's own


class DataSpec(BaseModel):
    """`[task.data]`: where the examples come from and how they are split; options of the source."""

    model_config = _OPEN
    name: str | None = None  # absent beside `task.name`: that task's own
    path: str | None = None
    valid_fraction: float = Field(default=0.2, ge=0, lt=1)
    test_fraction: float = Field(default=0.0, ge=0, lt=1)
    split_seed: int = Field(default=0, ge=0)


class TaskSpec(BaseModel):
    """`[task]`: a registered task (`name` and its options), or `model` and `data`."""

    model_config = _OPEN
    name: str | None = None
    external: bool = False  # made in Python: a name and a description, no recipe
    model: ModelSpec | None = None
    data: DataSpec | None = None
    loss: str | None = None
    metrics: list[str] | None = None


class OptimizerSpec(BaseModel):
    """`[optimizer]`: a name and its hyper-parameters, each a value or a lane axis."""

    model_config = _OPEN
    name: str = "adam"
    external: bool = False


class ScheduleSpec(BaseModel):
    """`[schedule]`: a name and its shape, each value a value or a lane axis."""

    model_config = _OPEN
    name: str = "cosine"
    external: bool = False


class PlanSpec(BaseModel):
    """`[plan]`: how lanes are laid on the machine; what is absent, the planner chooses."""

    model_config = _CLOSED
    tile_width: int | None = Field(default=None, ge=1)
    devices: int | None = Field(default=None, ge=1)
    segment_steps: int | None = Field(default=None, ge=1)
    memory_bytes: int | None = Field(default=None, ge=1)


class RangeTestSpec(BaseModel):
    """`[range_test]`: a learning rate that grows from `start` to `end` within one short run."""

    model_config = _CLOSED
    start: float = Field(default=1e-7, gt=0)
    end: float = Field(default=10.0, gt=0)
    num_steps: int = Field(default=100, ge=2)
    seeds: Seeds = 8
    batch_size: BatchSize = 32
    kind: Literal["ramp", "parallel"] = "ramp"
    mode: Literal["exponential", "linear"] = "exponential"
    split: Literal["train", "valid"] = "train"


class StudySpec(BaseModel):
    """`[study]`: the field that changes from group to group, and its values."""

    model_config = _CLOSED
    axis: str
    values: list[Any] = Field(min_length=1)


class Experiment(BaseModel):
    """One experiment. Only `task` has no default."""

    model_config = _CLOSED
    name: str | None = None
    task: TaskSpec
    optimizer: OptimizerSpec = OptimizerSpec()
    schedule: ScheduleSpec = ScheduleSpec()
    steps: int | None = Field(default=DEFAULT_STEPS, ge=1, le=MAX_STEPS)
    epochs: float | None = Field(default=None, gt=0)
    batch_size: BatchSize = 64
    sampler: Literal["shuffle", "replay"] = "shuffle"
    seeds: Seeds = 3
    seed: int = Field(default=0, ge=0, lt=2**31)
    lr: LearningRate = None
    groups: dict[str, str] = {}
    axes: dict[str, Axis] = {}
    lr_range: Interval = [1e-6, 10.0]
    metric: str = "valid_loss"
    budget: Budget = None
    eval_every: int | None = Field(default=None, ge=1)
    stop_diverged: bool = True
    precision: Literal["float32", "float64"] = "float32"
    probes: list[str] = []
    out: str | None = None
    plan: PlanSpec = PlanSpec()
    range_test: RangeTestSpec = RangeTestSpec()
    compare: dict[str, dict[str, Any]] = {}
    study: StudySpec | None = None

    _places: dict[tuple[str, ...], tuple[str, int | None]] = PrivateAttr(default_factory=dict)
    _file: str = PrivateAttr(default="<python>")
    _entries: dict[str, Experiment] = PrivateAttr(default_factory=dict)

    def __eq__(self, other: object) -> bool:
        """Equal contents; where they were written does not count."""
        return isinstance(other, Experiment) and self.model_dump() == other.model_dump()

    @property
    def entries(self) -> dict[str, Experiment]:
        """What `compare` compares: each entry complete, by name."""
        return self._entries


TABLES: dict[tuple[str, ...], type[BaseModel]] = {
    (): Experiment,
    ("task",): TaskSpec,
    ("task", "model"): ModelSpec,
    ("task", "data"): DataSpec,
    ("optimizer",): OptimizerSpec,
    ("schedule",): ScheduleSpec,
    ("plan",): PlanSpec,
    ("range_test",): RangeTestSpec,
    ("study",): StudySpec,
}
"""The tables of the schema by path, for messages that name the keys a table takes."""
