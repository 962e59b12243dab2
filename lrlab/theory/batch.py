"""How the learning rate moves with the batch size."""

from __future__ import annotations

from numpy.typing import ArrayLike

from lrlab.theory.values import Number, number, positive, valid_momentum


def linear_rule(lr: ArrayLike, batch: ArrayLike, new_batch: ArrayLike) -> Number:
    """LR x new_batch / batch: keeps the noise of SGD per unit of progress, below the critical size.

    Scalars or arrays; unit as `lr`. Source: Goyal et al. 2017 (arXiv 1706.02677).

    >>> linear_rule(0.1, 256, 512)
    0.2
    >>> linear_rule(0.1, 256, [512, 1024]).tolist()
    [0.2, 0.4]
    """
    return number(lr) * _ratio(batch, new_batch)


def sqrt_rule(lr: ArrayLike, batch: ArrayLike, new_batch: ArrayLike) -> Number:
    """LR x sqrt(new_batch / batch): for Adam and other methods that normalize the gradient.

    Scalars or arrays. Source: Malladi et al. 2022 (arXiv 2205.10287); Krizhevsky 2014 (1404.5997).

    >>> sqrt_rule(0.1, 64, 256)
    0.2
    """
    return number(lr) * _ratio(batch, new_batch) ** 0.5


def sde_rule(optimizer: str, batch: float, new_batch: float, **hyper: float) -> dict[str, float]:
    """All hyper-parameters at `new_batch` such that training follows the same SDE, k = new / old.

    sgd: lr k. momentum (heavy ball, nesterov): lr k with b unchanged. rmsprop: lr sqrt(k),
    1 - decay times k, eps / sqrt(k). adam: lr sqrt(k), 1 - b1 and 1 - b2 times k, eps / sqrt(k).
    Steps fall by k, so that steps x batch stays. Unknown hyper-parameters (weight_decay) stay as
    they are. First order in the learning rate: it breaks down where noise no longer dominates.

    Source: Li, Tai and E 2017 (arXiv 1511.06251) for SGD; Malladi et al. 2022 (arXiv 2205.10287),
    definitions 5.2 and 5.4, for RMSprop and Adam.

    Raises:
        ValueError: an unknown optimizer, batch sizes not above 0, or a k so large that a decay
            rate would fall below 0.

    >>> found = sde_rule("adam", 256, 1024, lr=1e-3, b1=0.9, b2=0.999)
    >>> {name: round(value, 6) for name, value in found.items()}
    {'lr': 0.002, 'b1': 0.6, 'b2': 0.996}
    """
    k = float(_ratio(batch, new_batch))
    if optimizer in ("sgd", "momentum", "nesterov"):
        return {name: value * k if name == "lr" else value for name, value in hyper.items()}
    if optimizer not in ("adam", "adamw", "rmsprop"):
        names = "sgd, momentum, nesterov, rmsprop, adam, adamw"
        raise ValueError(f"optimizer {optimizer!r} is unknown; choose one of {names}")
    scaled = {}
    for name, value in hyper.items():
        if name in ("b1", "b2", "beta1", "beta2", "decay"):
            value = 1 - k * (1 - value)
            if value < 0:
                raise ValueError(f"new_batch is too large: {name} would be {value:.3g}")
        elif name == "lr":
            value = value * k**0.5
        elif name == "eps":
            value = value / k**0.5
        scaled[name] = value
    return scaled


def sde_time(lr: ArrayLike, steps: ArrayLike, momentum: ArrayLike = 0.0) -> Number:
    """Time that `steps` updates pass in the SDE of SGD: steps x lr / (1 - momentum).

    Two runs with equal time and equal lr / (batch (1 - momentum)) follow one law to first order.
    Source: Smith et al. 2018 (arXiv 1711.00489); Li et al. 2021 (arXiv 2102.12470).

    >>> round(sde_time(0.1, 100, 0.9), 9)
    100.0
    """
    valid_momentum(momentum)
    return number(steps) * number(lr) / (1 - number(momentum))


def sde_temperature(
    lr: ArrayLike, batch: ArrayLike, momentum: ArrayLike = 0.0, examples: float | None = None
) -> Number:
    """Noise scale of SGD's SDE: lr (N/batch - 1) / (1 - momentum), or lr / (batch (1 - momentum)).

    The first form with `examples` = N (batches without replacement, unit lr x examples), else the
    limit of many examples per N. Runs of equal temperature end in equally wide minima.

    Source: Smith and Le 2018 (arXiv 1710.06451), equation 9 and section 5.

    >>> round(sde_temperature(0.1, 50, 0.9), 9)
    0.02
    """
    valid_momentum(momentum)
    scale = number(lr) / (1 - number(momentum))
    if examples is None:
        return scale / number(batch)
    return scale * (examples / number(batch) - 1)


def noise_scale_rule(largest_lr: ArrayLike, noise_scale: ArrayLike, batch: ArrayLike) -> Number:
    """Best LR of SGD at a batch size: largest_lr / (1 + noise_scale / batch).

    Linear in the batch size far below the noise scale (the critical batch size), constant far above
    it. `noise_scale` = trace(covariance H) / g'Hg, in examples; `largest_lr` = |g|^2 / g'Hg, the
    best LR without noise. The loss falls by its largest possible step over 1 + noise_scale / batch.

    Source: McCandlish et al. 2018 (arXiv 1812.06162), equations 2.6 and 2.7.

    >>> noise_scale_rule(0.4, 1000.0, 1000.0)
    0.2
    """
    positive("batch sizes", batch)
    return number(largest_lr) / (1 + number(noise_scale) / number(batch))


def _ratio(batch: ArrayLike, new_batch: ArrayLike) -> Number:
    positive("batch sizes", batch, new_batch)
    return number(new_batch) / number(batch)
