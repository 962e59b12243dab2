"""The run folder around a job: opened once, begun or continued, closed whatever happens."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from lrlab import config, runs
from lrlab.cluster.ray_pool import checked
from lrlab.config import Resolved
from lrlab.core.errors import Interrupted
from lrlab.core.paths import resolved as absolute
from lrlab.core.paths import shown
from lrlab.core.precisions import dtype_of
from lrlab.core.text import Table
from lrlab.runs import RunFolder
from lrlab.training.continuation import Continuation, check_extension, continuation
from lrlab.training.fingerprint import changed_machine, fingerprint, identity, same
from lrlab.training.group import TrainingGroup, training_group
from lrlab.training.manifest import device_of, manifest_of, name_of
from lrlab.training.own_code import changed, say_changed
from lrlab.training.progress import Control
from lrlab.training.suitability import text_of
from lrlab.training.task import refused


def folder_of(out: str | os.PathLike[str] | None) -> Path | None:
    """The run folder of a call: from here on one path, whatever it is called later.

    Raises:
        ConfigError: no path.
    """
    try:
        return None if out is None else absolute(out)
    except (TypeError, ValueError):
        message = f"must be the path of a folder, got {config.show(out)}"
        raise config.ConfigError([config.Problem(config.PYTHON, None, "out", message)]) from None


@contextlib.contextmanager
def continued(resolved: Resolved, out: Path | RunFolder | None) -> Iterator[Continuation]:
    """The experiment as the run in its folder asks for it; `out`: a path, a folder that is opened
    already, or None where nothing is recorded, or it is recorded in a new place."""
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(runs.opened(out)) if isinstance(out, Path) else out
        if folder is not None:
            say_changed(folder.info, resolved.experiment)
        on = config.ray_of(resolved.experiment)
        if on is not None and not (folder is not None and folder.finished):
            with refused(resolved):
                checked(on)  # before JAX has threads, beside which Ray could not start processes
        yield continuation(resolved, folder)


def ended(here: Continuation, group: TrainingGroup | None) -> Path | None:
    """The folder, where it holds this very experiment, finished; None where there is something to
    train. Nothing is locked or written: the folder may be read-only, and others may read it.

    Raises:
        RunError: a finished run of another experiment, or of one that cannot be compared.
    """
    folder = here.folder
    if folder is None or not folder.finished or here.shorter is not None:
        return None
    if "identity" not in folder.info:
        raise runs.RunError(
            folder.path,
            "holds a finished run that does not say of what experiment (saved by result.save, or "
            "by an older lrlab), so that it cannot be taken for this one; lrlab.load reads it; "
            "choose another folder",
        )
    changes = [] if group is None else changed_machine(folder.info, device_of(group))
    text = _text(here.resolved, group)
    same(folder, identity(here.resolved, group), changes, text, _sources(here))
    runs.vouch(folder.path, "summary.json")
    return folder.path


@contextlib.contextmanager
def recorded(
    here: Continuation,
    group: TrainingGroup | None,
    record: bool,
    control: Control,
    fields: Table | None = None,
) -> Iterator[runs.Run | None]:
    """The run of a job, or None where nothing is to be recorded; one that the folder holds is
    continued.

    Args:
        group: None for a job that only gathers others (a comparison).
        control: how often the run commits, and what is called where it stays unfinished.
        fields: what a new run's `run.json` says beside its configuration.

    Raises:
        RunError: the folder is in use, done, of another experiment, or cannot be written.
    """
    if not record:
        yield None
        return
    run = _run(here, group, control, fields or {})
    try:
        yield run
    except BaseException as error:
        stopped = isinstance(error, (Interrupted, KeyboardInterrupt))
        with contextlib.suppress(runs.RunError):
            run.close("interrupted" if stopped else "failed")
        if not runs.finished(run.info) and not control.part:
            error.add_note(f"The run in {shown(run.path)} is unfinished; {runs.onward(run.path)}")
            if control.unfinished is not None:
                control.unfinished(run.path)
        raise
    run.close()


def _sources(here: Continuation) -> list[str]:
    return changed(here.info, here.resolved.experiment)


def _text(resolved: Resolved, group: TrainingGroup | None) -> str:
    return text_of(resolved, None if group is None else group.problem.task)


def _run(
    here: Continuation, group: TrainingGroup | None, control: Control, fields: Table
) -> runs.Run:
    """The run to record in: a new one, the one that is continued, or one made longer."""
    resolved, folder = here.resolved, here.folder
    parts, text = identity(resolved, group), _text(resolved, group)
    if folder is None or not folder.is_run:
        manifest = {**manifest_of(resolved, group, parts), **fields}
        place = None if folder is None else folder.path
        name = name_of(resolved.experiment)
        interval = control.commit_every
        return runs.create(place, name, resolved.command, text, manifest, interval)
    changes = [] if group is None else changed_machine(folder.info, device_of(group))
    if here.shorter is not None and group is not None:
        run = _longer(here, folder, group, parts, changes, control)
    else:
        if "identity" in folder.info:
            same(folder, parts, changes, text, _sources(here))
        run = folder.writer(control.commit_every)
    if changes and not runs.finished(run.info):
        # Another machine or version rounds differently: from here on bits may not be the same.
        run.update(claim="tolerance", went_on_with=[*run.info.get("went_on_with", ()), *changes])
    return run


def _longer(
    here: Continuation,
    folder: RunFolder,
    group: TrainingGroup,
    parts: Mapping[str, str],
    changes: list[str],
    control: Control,
) -> runs.Run:
    """The run made longer, where its schedule permits that."""
    assert here.shorter is not None
    before = training_group(here.shorter)
    now = identity(here.shorter, before)
    same(folder, now, changes, _text(here.shorter, before), _sources(here))
    check_extension(folder, before, group, dtype_of(here.resolved.experiment.precision))
    run = folder.writer(control.commit_every, extended=True)
    fields = {"fingerprint": fingerprint(parts), "identity": dict(parts)}
    try:
        text = _text(here.resolved, group)
        runs.lengthen(run, group.problem.steps, group.eval_steps, text, fields)
    except BaseException:
        run.close()
        raise
    return run
