"""What a sweep gives back: every curve of every lane, and the answer they hold."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from lrlab import report, runs
from lrlab.core.frames import data_frame
from lrlab.core.paths import resolved
from lrlab.core.records import OK, LaneRecord
from lrlab.core.scale import GAIN, LOG, checked
from lrlab.core.score import LAST
from lrlab.core.text import JsonObject, counted
from lrlab.core.tolerance import TOLERANCE
from lrlab.report.content import tidy
from lrlab.report.html import cards
from lrlab.results import unread
from lrlab.results.lost import why_lost
from lrlab.results.representable import as_sentences, beyond_numbers, indistinct
from lrlab.schedules import labels
from lrlab.search import log_scale
from lrlab.search.answer import from_scores
from lrlab.search.naming import in_words, named
from lrlab.search.scores import combination, grid_scores, sweep_scores
from lrlab.search.settings import DEFAULTS
from lrlab.types import OUTCOMES, Answer, Plan, PyTree

if TYPE_CHECKING:
    import pandas
    import xarray
    from matplotlib.figure import Figure

    from lrlab.report.html.document import Document
    from lrlab.results.origin import Origin


class Result(NamedTuple):
    """A finished sweep.

    `record` is all that was recorded, a grid of (learning rate, further lane axes as given, seed);
    `metric` what `best()` and the report look at, by its `score` (see `scores`); `config` the whole
    configuration, TOML; `run` the folder it is in, None where it is in none. The properties below
    are views on the record: T updates, E evaluations; floats are float64 where the run was, else
    float32; nan where a lane was not. `origin`: where its weights are (`params`, `state`).
    """

    name: str
    record: LaneRecord
    metric: str
    plan: Plan
    config: str = ""
    run: str | None = None
    score: str = LAST
    tolerance: float = TOLERANCE
    origin: Origin | None = None

    @property
    def axes(self) -> dict[str, np.ndarray]:
        """Name -> values f64 of each lane axis but the seeds, the learning rates first."""
        return {name: values for name, values in self.record.axes.items() if name != "seed"}

    @property
    def lr(self) -> np.ndarray:
        """The learning rates as given, f64[L]; those of the first group where there are several."""
        return next(iter(self.record.axes.values()))

    @property
    def seeds(self) -> np.ndarray:
        """int64[S]."""
        return self.record.axes["seed"]

    @property
    def steps(self) -> np.ndarray:
        """The updates, int[T]."""
        return self.record.steps

    @property
    def eval_steps(self) -> np.ndarray:
        """Updates done at each evaluation, int[E]."""
        return self.record.eval_steps

    @property
    def history(self) -> dict[str, np.ndarray]:
        """`train_loss` [T, ...] and so on, each read before its update; `learning_rate` as applied;
        evaluated metrics (`valid_loss`, ...) [E, ...]. Arrays of 128 MiB and more that are in a run
        folder are read from there where they are looked at: `history["train_loss"][:, 5, 0]` reads
        one lane, `[100]` one step, `np.asarray(...)` all of it."""
        return {name: metric.values for name, metric in self.record.metrics.items()}

    @property
    def evaluated(self) -> tuple[str, ...]:
        """The names of the metrics on the `eval_step` axis."""
        return tuple(self.record.evaluated)

    @property
    def initial(self) -> dict[str, np.ndarray]:
        """Metric -> [...] before the first update."""
        return self.record.initial

    @property
    def final(self) -> dict[str, np.ndarray]:
        """Metric -> [...] after the last update; `train_loss` before it."""
        last = {name: values[-1] for name, values in self.record.evaluated.items()}
        return last | {"train_loss": self.record.history["train_loss"][-1]}

    def scores(self, metric: str | None = None) -> np.ndarray:
        """What `best()` judges lanes by, [L, ..., S]: of the evaluations the last, the best, or the
        mean of the last k, as `score` says ("last", "best", "mean:k"); nan where the lane did not
        finish.

        Of what is recorded at each update (`train_loss`) it is the mean of the run's last
        twentieth, the best mean between two evaluations, or the mean of the last k updates.
        `best()` counts a lane that ends worse than it began as one that was not trained.

        Raises:
            ValueError: the sweep has no such metric.

        >>> import lrlab
        >>> result = lrlab.sweep("wine-linear", lr=[0.1, 30.0], optimizer="sgd", steps=20, seeds=1,
        ...                      batch_size=16, score="best", progress=False)
        >>> bool((result.scores("valid_loss") <= result.final["valid_loss"]).all())
        True
        """
        whole = grid_scores(self.record, metric or self.metric, self.score)
        values = np.asarray(whole.values)[-1].reshape(self.record.outcome.shape)
        values = np.where(self.record.outcome == OK, values, np.nan)
        return values.astype(self.record.history["train_loss"].dtype)

    def params(
        self, *, lr: float | Mapping[str, float] | None = None, seed: int | None = None, **axes: Any
    ) -> PyTree:
        """The parameters of one lane, whole: frozen ones are in their places. NumPy arrays, after
        the last update, or at the best evaluation (`keep = "best"`).

        Args:
            lr, seed, axes: the lane's values, within 1e-6 of the number; with several rates `lr` is
                a dict by name. What all lanes have in common may be left out. Of several schedules
                one is given by its name.

        Raises:
            KeyError: no lane that finished has these values, or several: says which there are.
            ValueError: nothing was kept, or the task's state is its own (see `state`).

        >>> import lrlab
        >>> result = lrlab.sweep("wine-linear", lr=[0.1, 0.3], steps=5, seeds=1, batch_size=16,
        ...                      progress=False)
        >>> result.params(lr=0.3)["readout"]["kernel"].shape
        (13, 3)
        """
        params, state = self._lane(lr, seed, axes)
        if isinstance(params, tuple) and params == () and state != ():
            raise ValueError("the state of this task is its own: result.state(...) gives it")
        return params

    def state(
        self, *, lr: float | Mapping[str, float] | None = None, seed: int | None = None, **axes: Any
    ) -> PyTree:
        """(parameters, what is not trained by gradients) of one lane; of a task with a step of its
        own the state that this step last gave. Arguments and errors as `params`."""
        params, state = self._lane(lr, seed, axes)
        return state if isinstance(params, tuple) and params == () else (params, state)

    def _lane(
        self, lr: float | Mapping[str, float] | None, seed: int | None, axes: Mapping[str, Any]
    ) -> tuple[PyTree, PyTree]:
        if self.origin is None:
            raise ValueError("this result has only its numbers: it is not from sweep or load")
        wanted = dict(axes)
        if isinstance(lr, Mapping):
            wanted |= {f"lr_{name}": value for name, value in lr.items()}
        elif lr is not None:
            wanted["lr"] = lr
        wanted = wanted if seed is None else {**wanted, "seed": seed}
        try:
            return self.origin.lane(wanted)
        except KeyError:
            if said := why_lost(self.record, self.origin.numbers(wanted)):
                raise KeyError(said) from None
            raise

    @property
    def outcome(self) -> np.ndarray:
        """str[...]: "ok", "diverged", "pruned" or "not_run"."""
        return self.record.outcome_names

    @property
    def diverged_at(self) -> np.ndarray:
        """The first update that was not finite, int[...]; -1: never."""
        return self.record.diverged_at

    @property
    def last_loss(self) -> np.ndarray:
        """The last finite training loss, [...]."""
        return self.record.last_loss

    @property
    def steps_trained(self) -> np.ndarray:
        """int[...]."""
        return self.record.steps_trained

    @property
    def directions(self) -> dict[str, str]:
        """Metric -> "min" or "max", of those that are better one way."""
        metrics = self.record.metrics.items()
        return {name: one.direction for name, one in metrics if one.direction is not None}

    @property
    def seconds(self) -> float:
        """Wall time of training."""
        return self.record.seconds

    @property
    def numbers(self) -> dict[str, np.ndarray]:
        """The lane axes whose values are numbers."""
        return {name: values for name, values in self.axes.items() if name not in self.labels}

    @property
    def labels(self) -> dict[str, tuple[str, ...]]:
        """Lane axes whose values count names (`schedule`) -> what each value is called."""
        try:
            names = tomllib.loads(self.config)["schedule"]["name"]
        except (tomllib.TOMLDecodeError, KeyError, TypeError):
            return {}
        return {"schedule": labels(names)} if isinstance(names, list) else {}

    def best(self, metric: str | None = None, scale: str = GAIN) -> Answer:
        """The answer of the full sweep for a metric, by the sweep's `score` and `tolerance`: LR,
        interval, verdict, sentence; with further lane axes that of the best combination, which is
        in `details["at"]`. Rates that the run's numbers cannot hold are named at the sentence's
        end. `scale` "log": regret is measured in the log of the loss.

        Raises:
            ValueError: another scale, or `scale` "log" with values that have no logarithm.
        """
        metric = metric or self.metric
        settings = DEFAULTS._replace(tolerance=self.tolerance)
        scores = sweep_scores(self.record, metric, self.score)
        if checked(scale) == LOG:
            scores, name = log_scale.logged(scores, metric), log_scale.named(metric)
            answer = log_scale.unlogged(from_scores(scores, name, settings=settings), metric)
        else:
            answer = from_scores(scores, metric, settings=settings)
        sentence, details = answer.sentence, dict(answer.details)
        if places := combination(self.record, metric, self.score):
            further = list(self.axes.items())[1:]
            at = {
                name: named(self.labels, name, values[place])
                for (name, values), place in zip(further, places, strict=True)
            }
            details["at"] = at
            chosen = {name: at[name] for name, values in further if len(values) > 1}
            if answer.lr is not None and chosen:
                sentence = f"With {in_words(chosen)}: {sentence}"
        answer = answer._replace(sentence=sentence, details=details)
        names = unread.of_record(self.record, unread.rates_of(self.config))
        method = unread.method_of(self.config)
        answer = unread.remarked(answer, names, self.axes, self.labels, method)
        dtype = self.record.history["train_loss"].dtype
        notes = [
            *beyond_numbers(self.lr, dtype),
            *as_sentences(indistinct(self.numbers, dtype.name)),
        ]
        sentence = " ".join([answer.sentence, *notes])
        return answer._replace(sentence=sentence, origin=self.origin)

    def to_pandas(self, per: str = "lane") -> pandas.DataFrame:
        """A tidy table: one row per lane, with its axes, its outcome, its final metrics (nan where
        it did not finish) and what they were before training; `per` "step": one row per lane and
        step (updates done) that it reached, with every metric that was measured there.

        Raises:
            ImportError: pandas is not installed. ValueError: another `per`.

        >>> import lrlab
        >>> result = lrlab.sweep("wine-linear", lr=[0.1, 0.3], steps=20, seeds=2, batch_size=16,
        ...                      progress=False)
        >>> result.to_pandas().groupby("lr").final_valid_loss.mean().shape
        (2,)
        >>> result.to_pandas(per="step")[["lr", "seed", "step", "train_loss", "valid_loss"]].shape
        (84, 5)
        """
        return data_frame(tidy.table(self.record, self._named_axes(), per))

    def to_xarray(self) -> xarray.Dataset:
        """All of it as an `xarray.Dataset` with dims step, eval_step, lr, further axes, seed.
        Schedules stand by name; a metric's `direction` says whether less or more is better.

        Raises:
            ImportError: xarray is not installed.
        """
        data = runs.dataset_of(self.record, {"name": self.name, "metric": self.metric})
        return data.assign_coords({name: list(names) for name, names in self.labels.items()})

    def dataset(self) -> xarray.Dataset:
        """The same as `to_xarray`."""
        return self.to_xarray()

    def _named_axes(self) -> dict[str, np.ndarray]:
        """The lane axes, the seeds last; names in place of numbers that count them."""
        names = {name: np.array(words, object) for name, words in self.labels.items()}
        return {**self.record.axes, **names}

    def _repr_html_(self) -> str:
        return cards.result_card(self)

    def plot(
        self, metric: str | None = None, interactive: bool = False
    ) -> Figure | Document | None:
        """Loss against learning rate with seeds, interval and diverged region, in Matplotlib;
        `interactive`: the report's page, which a notebook shows and `.save(path)` writes."""
        data = report.sampled(report.from_result(self._replace(metric=metric or self.metric)))
        return report.page(data) if interactive else report.draw("loss_vs_lr", data)

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Writes a run folder that `lrlab.load`, `lrlab show` and `lrlab report` read."""
        path, record = resolved(folder), self.record
        manifest = {"plan": self.plan._asdict(), "metric": self.metric, "modes": self.directions}
        if self.score != LAST:
            manifest["score"] = self.score
        if self.tolerance != TOLERANCE:
            manifest["tolerance"] = self.tolerance
        run = runs.create(path, self.name, "sweep", self.config, manifest)
        try:
            runs.write_record(run, record)
            run.finish(self.summary())
        finally:
            run.close()
        return path

    def summary(self) -> JsonObject:
        """What `summary.json` holds of it: the answer, and how long it took."""
        answer = self.best()._asdict()
        del answer["origin"]
        return {**answer, "seconds": self.record.seconds}

    def __repr__(self) -> str:
        counts = {name: int((self.outcome == name).sum()) for name in OUTCOMES}
        what = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
        shape = " x ".join(
            [*(f"{len(v)} {k}" for k, v in self.axes.items()), counted(len(self.seeds), "seed")]
        )
        return f"Result({self.name}: {shape}, {counted(len(self.steps), 'step')}; {what})"
