"""How the learning rate moves with the batch size."""

from __future__ import annotations


def linear_rule(lr: float, batch: float, new_batch: float) -> float:
    """LR x new_batch / batch: keeps the noise of SGD per unit of progress, below the critical size.

    Source: Goyal et al. 2017 (arXiv 1706.02677).

    >>> linear_rule(0.1, 256, 512)
    0.2
    """
    return lr * _ratio(batch, new_batch)


def sqrt_rule(lr: float, batch: float, new_batch: float) -> float:
    """LR x sqrt(new_batch / batch): for Adam and other methods that normalize the gradient.

    Source: Malladi et al. 2022 (arXiv 2205.10287); Krizhevsky 2014 (arXiv 1404.5997).

    >>> sqrt_rule(0.1, 64, 256)
    0.2
    """
    return lr * _ratio(batch, new_batch) ** 0.5


def sde_time(lr: float, steps: float, momentum: float = 0.0) -> float:
    """Time that `steps` updates pass in the SDE of SGD: steps x lr / (1 - momentum).

    Two runs with equal time and equal lr / (batch (1 - momentum)) follow one law to first order.
    Source: Smith et al. 2018 (arXiv 1711.00489); Li et al. 2021 (arXiv 2102.12470).

    >>> round(sde_time(0.1, 100, 0.9), 9)
    100.0
    """
    if not 0 <= momentum < 1:
        raise ValueError(f"momentum must be in [0, 1), not {momentum}")
    return steps * lr / (1 - momentum)


def _ratio(batch: float, new_batch: float) -> float:
    if not (batch > 0 and new_batch > 0):
        raise ValueError(f"batch sizes must be above 0, not {batch} and {new_batch}")
    return new_batch / batch
