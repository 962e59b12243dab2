"""What a sweep gives back: every curve of every lane, and the answer they hold."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lrlab.core.paths import resolved
from lrlab.core.records import LaneRecord, Metric
from lrlab.types import OUTCOMES, Answer, Plan, Trained


class Result(NamedTuple):
    """A finished sweep.

    The axes of every array are (step,) learning rate, further lane axes as given, seed; T updates,
    E evaluations. Floats are float64 where the run was, else float32; nan where a lane was not.

    `axes`: name -> values f64 of each lane axis, the learning rates first; `seeds` int64[S].
    `history`: `train_loss` [T, ...] and so on, each read before its update; `learning_rate` as
    applied; evaluated metrics (`valid_loss`, ...) [E, ...], at `eval_steps` updates done.
    `initial`, `final`: metric -> [...], before the first and after the last update.
    `outcome` str[...]; `diverged_at` int[...] (-1: never); `last_loss` the last finite training
    loss; `steps_trained` int[...].
    """

    name: str
    axes: dict[str, np.ndarray]
    seeds: np.ndarray
    steps: np.ndarray
    eval_steps: np.ndarray
    history: dict[str, np.ndarray]
    initial: dict[str, np.ndarray]
    final: dict[str, np.ndarray]
    outcome: np.ndarray
    diverged_at: np.ndarray
    last_loss: np.ndarray
    steps_trained: np.ndarray
    metric: str
    directions: Mapping[str, str]
    plan: Plan
    seconds: float
    config: str = ""
    run: str | None = None

    @property
    def lr(self) -> np.ndarray:
        """The learning rates as given, f64[L]; those of the first group where there are several."""
        return next(iter(self.axes.values()))

    @property
    def evaluated(self) -> tuple[str, ...]:
        """The names of the metrics on the `eval_step` axis."""
        return tuple(name for name in self.history if name in self.final and name in self.initial)

    @property
    def record(self) -> LaneRecord:
        """The same as a `LaneRecord`, laid out by axes."""
        metrics = {
            name: Metric(values, "eval_step" if name in self.evaluated else "step")
            for name, values in self.history.items()
        }
        return LaneRecord(
            axes={**self.axes, "seed": self.seeds},
            steps=self.steps,
            eval_steps=self.eval_steps,
            metrics=metrics,
            initial=self.initial,
            outcome=_index_of(self.outcome),
            diverged_at=self.diverged_at,
            last_loss=self.last_loss,
            steps_trained=self.steps_trained,
            seconds=self.seconds,
        ).directed(self.directions)

    def best(self, metric: str | None = None) -> Answer:
        """The answer of the full sweep for a metric: LR, interval, verdict, sentence; with further
        lane axes that of the best combination, which is in `details["at"]`. Rates that the run's
        numbers cannot hold are named at the sentence's end."""
        from lrlab.results.indistinct import as_sentences, indistinct
        from lrlab.results.unread import method_of, of_result, said
        from lrlab.search.answer import from_scores
        from lrlab.search.naming import in_words, named
        from lrlab.search.scores import combination, sweep_scores

        metric = metric or self.metric
        answer = from_scores(sweep_scores(self.record, metric), metric)
        sentence, details = answer.sentence, dict(answer.details)
        if places := combination(self.record, metric):
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
        answer = said(answer, of_result(self), self.axes, self.labels, method_of(self.config))
        dtype = self.history["train_loss"].dtype
        notes = [
            *beyond_numbers(self.lr, dtype),
            *as_sentences(indistinct(self.numbers, dtype.name)),
        ]
        return answer._replace(sentence=" ".join([answer.sentence, *notes]))

    @property
    def numbers(self) -> dict[str, np.ndarray]:
        """The lane axes whose values are numbers."""
        return {name: values for name, values in self.axes.items() if name not in self.labels}

    @property
    def labels(self) -> dict[str, tuple[str, ...]]:
        """Lane axes whose values count names (`schedule`) -> what each value is called."""
        from lrlab.schedules import labels

        try:
            names = tomllib.loads(self.config)["schedule"]["name"]
        except (tomllib.TOMLDecodeError, KeyError, TypeError):
            return {}
        return {"schedule": labels(names)} if isinstance(names, list) else {}

    def dataset(self) -> Any:
        """All of it as an `xarray.Dataset` with dims step, eval_step, lr, further axes, seed.

        Raises:
            ImportError: xarray is not installed.
        """
        try:
            import xarray
        except ImportError as error:
            raise ImportError("result.dataset() needs xarray: pip install xarray") from error
        dims = (*self.axes, "seed")
        variables: dict[str, Any] = {
            name: (("eval_step" if name in self.evaluated else "step", *dims), values)
            for name, values in self.history.items()
        }
        variables |= {f"initial_{name}": (dims, values) for name, values in self.initial.items()}
        variables |= {
            name: (dims, getattr(self, name))
            for name in ("outcome", "diverged_at", "last_loss", "steps_trained")
        }
        coordinates = {
            "step": self.steps,
            "eval_step": self.eval_steps,
            **self.axes,
            "seed": self.seeds,
        }
        return xarray.Dataset(variables, coordinates, {"name": self.name, "metric": self.metric})

    def plot(self, metric: str | None = None, interactive: bool = False) -> Any:
        """Loss against learning rate with seeds, interval and diverged region, in Matplotlib;
        `interactive`: a Plotly figure with the curves beside it, for notebooks."""
        from lrlab import report

        this = self._replace(metric=metric or self.metric)
        if interactive:
            return report.interactive(report.from_result(this), this.metric)
        return report.draw("loss_vs_lr", report.from_result(this))

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Writes a run folder that `lrlab.load`, `lrlab show` and `lrlab report` read."""
        from lrlab.training.recording import save_result

        return save_result(self, resolved(folder))

    def __repr__(self) -> str:
        counts = {name: int((self.outcome == name).sum()) for name in OUTCOMES}
        what = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
        shape = " x ".join(
            [*(f"{len(v)} {k}" for k, v in self.axes.items()), f"{len(self.seeds)} seeds"]
        )
        return f"Result({self.name}: {shape}, {len(self.steps)} steps; {what})"


def _index_of(outcome: np.ndarray) -> np.ndarray:
    """Outcomes in words as indices into `OUTCOMES`, int8[...]."""
    return (outcome[..., None] == np.asarray(OUTCOMES)).argmax(-1).astype(np.int8)


def beyond_numbers(lr: np.ndarray, dtype: np.dtype) -> list[str]:
    """What is to be said of learning rates that `dtype` has no ordinary number for.

    >>> beyond_numbers(np.array([0.0, 1e-40, 0.1, 1e39]), np.dtype("float32"))
    ['1e-40 is too small for float32 (below 1.2e-38) and trains as 0.', \
'1e+39 is too large for float32 (above 3.4e+38) and trains as infinity.']
    """
    info, found = np.finfo(dtype), []
    small = lr[(lr > 0) & (lr < info.tiny)]
    large = lr[lr > info.max]
    for rates, side, end, place in (
        (small, "small", f"below {info.tiny:.2g}", "0"),
        (large, "large", f"above {info.max:.2g}", "infinity"),
    ):
        if rates.size:
            distinct = np.unique(rates)
            shown = ", ".join(f"{rate:.6g}" for rate in distinct[:4])
            more = f" and {len(distinct) - 4} more" if len(distinct) > 4 else ""
            be, train = ("is", "trains") if len(distinct) == 1 else ("are", "train")
            found.append(
                f"{shown}{more} {be} too {side} for {info.dtype} ({end}) and {train} as {place}."
            )
    return found


def from_trained(
    trained: Trained,
    *,
    name: str,
    axes: dict[str, np.ndarray],
    seeds: np.ndarray,
    metric: str,
    directions: Mapping[str, str],
    plan: Plan,
    config: str = "",
    run: str | None = None,
) -> Result:
    """The arrays of lanes in C order over (axes..., seed), each put into its place."""
    shape = (*(len(values) for values in axes.values()), len(seeds))

    def grid(values: np.ndarray) -> np.ndarray:
        return values.reshape(*values.shape[:-1], *shape)

    evaluated = {key: grid(values) for key, values in trained.evaluated.items()}
    final = {key: values[-1] for key, values in evaluated.items()}
    losses = grid(trained.history["train_loss"])
    final["train_loss"] = losses[-1]
    return Result(
        name=name,
        axes=axes,
        seeds=seeds,
        steps=trained.steps,
        eval_steps=trained.eval_steps,
        history={key: grid(values) for key, values in trained.history.items()} | evaluated,
        initial={key: grid(values) for key, values in trained.initial.items()},
        final=final,
        outcome=np.asarray(OUTCOMES)[grid(trained.outcome)],
        diverged_at=grid(trained.diverged_at),
        last_loss=grid(trained.last_loss),
        steps_trained=grid(trained.steps_trained),
        metric=metric,
        directions=directions,
        plan=plan,
        seconds=trained.seconds,
        config=config,
        run=run,
    )
