"""The schema: every key of a configuration, its type, its limits and its default, once.

Open tables (`task`, `task.model`, `task.data`, `optimizer`, `schedule`) take the options of the
thing they name; `checks` compares those with the registries. Where `python` names a function of the
user's (`own_code`), its options stand in `options`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, PrivateAttr

from lrlab.config.lanes import (
    Axis,
    BatchSize,
    Budget,
    Confidence,
    Interval,
    LearningRate,
    Scale,
    ScheduleName,
    Score,
    Seeds,
    Share,
)
from lrlab.config.multipliers import Multipliers
from lrlab.config.trackers import Trackers
from lrlab.core.figures import Format
from lrlab.core.remote import table_of
from lrlab.core.synonyms import did_you_mean
from lrlab.core.text import JsonObject, show
from lrlab.core.tolerance import CONFIDENCE, TOLERANCE

_CLOSED = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)
_OPEN = ConfigDict(extra="allow", strict=True, allow_inf_nan=False, frozen=True)

MAX_STEPS = 2**31 - 2
"""Steps are counted in int32, one past the last included."""

DEFAULT_STEPS = 2000


class ModelSpec(BaseModel):
    """`[task.model]`: a network by name and its options (see `lrlab ls models`)."""

    model_config = _OPEN
    name: str | None = None  # absent beside `task.name`: that task's own
    python: str | None = None
    options: JsonObject = {}
    folder: str | None = None


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
    params: str | None = None
    trainable: list[str] | None = None
    python: str | None = None
    options: JsonObject = {}
    folder: str | None = None


class OptimizerSpec(BaseModel):
    """`[optimizer]`: a name and its hyper-parameters, each a value or a lane axis."""

    model_config = _OPEN
    name: str = "adam"
    external: bool = False
    python: str | None = None
    options: JsonObject = {}
    folder: str | None = None


class ScheduleSpec(BaseModel):
    """`[schedule]`: a name and its shape, each value a value or a lane axis; or several schedules,
    `name = ["linear", {name = "wsd", cooldown = 0.3}]`: the lane axis `schedule` counts them."""

    model_config = _OPEN
    name: ScheduleName = "cosine"
    external: bool = False
    python: str | None = None
    options: JsonObject = {}
    folder: str | None = None


class ProbeSpec(BaseModel):
    """An entry of `probes`: a name (see `lrlab ls probes`) and the probe's options.

    `every`: updates between measurements, made at the first evaluation from there on.
    """

    model_config = _OPEN
    name: str
    every: int | None = Field(default=None, ge=1)


class PlanSpec(BaseModel):
    """`[plan]`: how lanes are laid on the machine; what is absent, the planner chooses."""

    model_config = _CLOSED
    tile_width: int | None = Field(default=None, ge=1)
    devices: int | None = Field(default=None, ge=1)
    segment_steps: int | None = Field(default=None, ge=1)
    memory_bytes: int | None = Field(default=None, ge=1)
    rewrite: bool = True
    model_devices: int = Field(default=1, ge=1)


class OnSpec(BaseModel):
    """`[on]`: the workers of a Ray cluster that train; see `lrlab.Ray`. `on = "ray"` is an empty
    one. Absent: this process trains."""

    model_config = _CLOSED
    address: str | None = None
    workers: int | None = Field(default=None, ge=1)
    cpus_per_worker: int | None = Field(default=None, ge=1)
    gpus_per_worker: int = Field(default=0, ge=0)
    runtime_env: JsonObject | None = None


class RangeTestSpec(BaseModel):
    """`[range_test]`: a learning rate that grows from `start` to `end` within one short run."""

    model_config = _CLOSED
    start: float = Field(default=1e-7, gt=0)
    end: float = Field(default=10.0, gt=0)
    num_steps: int = Field(default=100, ge=2, le=MAX_STEPS)
    seeds: Seeds = 8
    batch_size: BatchSize = 32
    kind: Literal["ramp", "parallel"] = "ramp"
    mode: Literal["exponential", "linear"] = "exponential"
    split: Literal["train", "valid"] = "train"


PARAMETRIZATIONS = ("standard", "mup")


def _kinds(value: object) -> str | list[str]:
    listed = value if isinstance(value, (list, tuple)) else [value]
    for kind in listed or [None]:
        if kind not in PARAMETRIZATIONS:
            hint = did_you_mean(str(kind), PARAMETRIZATIONS)
            raise ValueError(
                f'must be "standard", "mup", or a list of both, got {show(kind)}{hint}'
            )
    return list(value) if isinstance(value, (list, tuple)) else str(value)


Kinds = Annotated[str | list[str], PlainValidator(_kinds)]


class ParametrizationSpec(BaseModel):
    """`[parametrization]`: how initial sizes and learning rates follow the model's size.

    `base`: the options of the model that differ at the base, where muP is the standard one.
    """

    model_config = _CLOSED
    name: Literal["standard", "mup"] = "standard"
    base: JsonObject = {}


class StudySpec(BaseModel):
    """`[study]`: the field that changes from group to group, and its values.

    `parametrization`: one or both of "standard" and "mup"; `base`: the value of the axis at which
    muP is the standard one, and from which rates are transferred (absent: the first).
    """

    model_config = _CLOSED
    axis: str
    values: list[Any] = Field(min_length=1)
    parametrization: Kinds = "standard"
    base: Any = None

    @property
    def parametrizations(self) -> list[str]:
        """Those asked for, each once."""
        value = self.parametrization
        return list(dict.fromkeys([value] if isinstance(value, str) else value))


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
    sampler: Literal["shuffle", "replay", "in_order"] = "shuffle"
    seeds: Seeds = 3
    seed: int = Field(default=0, ge=0, lt=2**31)
    lr: LearningRate = None
    groups: dict[str, str] = {}
    multipliers: Multipliers = {}
    axes: dict[str, Axis] = {}
    lr_range: Interval = [1e-6, 10.0]
    metric: str = "valid_loss"
    score: Score = "last"
    scale: Scale = "gain"
    keep: Literal["none", "last", "best"] | None = None
    tolerance: Share = TOLERANCE
    confidence: Confidence = CONFIDENCE
    budget: Budget = None
    eval_every: int | None = Field(default=None, ge=1)
    eval_steps: list[Annotated[int, Field(ge=1, le=MAX_STEPS)]] | None = None
    stop_diverged: bool = True
    precision: Literal["float32", "float64", "bfloat16", "mixed"] = "float32"
    probes: list[ProbeSpec] = []
    out: str | None = None
    figures: list[Format] | None = None
    log: Trackers = {}
    plan: PlanSpec = PlanSpec()
    on: Annotated[OnSpec | None, BeforeValidator(table_of)] = None
    range_test: RangeTestSpec = RangeTestSpec()
    parametrization: ParametrizationSpec | None = None
    compare: dict[str, JsonObject] = {}
    study: StudySpec | None = None

    _places: dict[tuple[str, ...], tuple[str, int | None]] = PrivateAttr(default_factory=dict)
    _file: str = PrivateAttr(default="<python>")
    _entries: dict[str, Experiment] = PrivateAttr(default_factory=dict)

    def __eq__(self, other: object) -> bool:
        """Equal contents; where they were written does not count."""
        return isinstance(other, Experiment) and self.model_dump() == other.model_dump()

    @property
    def entries(self) -> dict[str, Experiment]:
        """What `compare` compares, or the groups of a study: each complete, by name."""
        return self._entries


TABLES: dict[tuple[str, ...], type[BaseModel]] = {
    (): Experiment,
    ("task",): TaskSpec,
    ("task", "model"): ModelSpec,
    ("task", "data"): DataSpec,
    ("optimizer",): OptimizerSpec,
    ("schedule",): ScheduleSpec,
    ("plan",): PlanSpec,
    ("on",): OnSpec,
    ("range_test",): RangeTestSpec,
    ("study",): StudySpec,
    ("parametrization",): ParametrizationSpec,
}
"""The tables of the schema by path, for messages that name the keys a table takes."""
