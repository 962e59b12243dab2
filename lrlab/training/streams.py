"""What an experiment may ask of training data that stream."""

from __future__ import annotations

import warnings

from lrlab.config import Resolved
from lrlab.core.errors import FieldError
from lrlab.data.streams import Stream


def check_loader(resolved: Resolved, stream: Stream) -> None:
    """Whether an experiment fits a loader, which has its own batches and their order.

    Raises:
        FieldError: a batch size, a sampler or a length in epochs that it cannot have.
    """
    experiment = resolved.experiment
    size, spec = stream.batch_size, experiment
    if size is None or stream.loader is None:
        return
    if resolved.command == "range-test":
        spec = experiment.range_test
    given = "batch_size" in spec.model_fields_set and resolved.objects.task is not None
    # A file is complete: the default stands in it too.
    given |= resolved.batch_size not in (size, type(spec).model_fields["batch_size"].default)
    if given and resolved.batch_size != size:
        raise FieldError(
            "batch_size",
            f"the loader gives batches of {size:,}, so that batch_size = {resolved.batch_size} is "
            "not possible; leave it out, or make the loader's batches as large",
        )
    if experiment.sampler != "shuffle":
        raise FieldError(
            "sampler",
            f'sampler = "{experiment.sampler}" is not for loaders, which have an order of their '
            "own; leave it out, or give data that are read by number",
        )
    if resolved.epochs is not None:
        raise FieldError(
            "epochs", "a loader does not say how long an epoch is; give the length as steps"
        )
    if stream.loader.shared and len(resolved.seeds) > 1:
        warnings.warn(
            f"all {len(resolved.seeds)} seeds read the batches of {stream.loader.kind} in one "
            "order; give a function seed -> iterator for an order of each",
            UserWarning,
            stacklevel=2,
        )


def check_numbered(resolved: Resolved, stream: Stream) -> None:
    """Whether the batches of data that are read by number are smaller than all of them.

    Raises:
        FieldError: batch_size = "full".
    """
    if isinstance(resolved.batch_size, str) and stream.numbered is not None:
        raise FieldError(
            "batch_size",
            'batch_size = "full" reads all training data at every update, and these stream; give '
            "a number, or arrays in memory",
        )
