"""Shapes that fall from the peak over all the steps.

Every function takes `step` (int or float, traced or not, `0 <= step <= steps`) and the number of
steps, and gives what multiplies the peak (no unit). p stands for `step / steps`.
"""

from __future__ import annotations

import jax.numpy as jnp

from lrlab.schedules.lengths import length
from lrlab.types import Scalar


def constant(step: Scalar, steps: Scalar) -> Scalar:
    """1 * peak: the same learning rate at every step, never zero (its limits: Bottou, Curtis and
    Nocedal 2018, arXiv 1606.04838). In the unit of `peak`.

    >>> float(constant(7, 10))
    1.0
    """
    return jnp.ones_like(step, dtype=jnp.result_type(float))


def linear(step: Scalar, steps: Scalar, *, final: Scalar = 0.0) -> Scalar:
    """1 - (1 - final) p. Linear decay to `final` times the peak, by default to zero at `steps`;
    optimal for the last iterate (Zamani and Glineur 2023, arXiv 2307.11134; Defazio et al. 2023,
    arXiv 2310.07831). Factors have no unit.

    >>> float(linear(5, 10))
    0.5
    """
    return 1 - (1 - final) * (step / steps)


def polynomial(step: Scalar, steps: Scalar, *, power: Scalar = 2.0, final: Scalar = 0.0) -> Scalar:
    """(1 - final) (1 - p)^power + final: `power = 1` is `linear`. Ends at `final`, zero by default
    ("poly": Chen et al. 2017, DeepLab, arXiv 1606.00915). Without unit.

    >>> float(polynomial(5, 10))
    0.25
    """
    return (1 - final) * jnp.maximum(1 - step / steps, 0) ** power + final


def cosine(step: Scalar, steps: Scalar, *, final: Scalar = 0.0, power: Scalar = 1.0) -> Scalar:
    """(1 - final) ((1 + cos(pi p)) / 2)^power + final: half a cosine, zero at `steps` (Loshchilov
    and Hutter 2017, SGDR, arXiv 1608.03983). Bitwise equal to `optax.cosine_decay_schedule`.
    Factors have no unit.

    >>> round(float(cosine(5, 10)), 6)
    0.5
    """
    wave = 0.5 * (1 + jnp.cos(jnp.pi * step / steps))
    if not (isinstance(power, float) and power == 1.0):
        wave = jnp.maximum(wave, 0) ** power
    return (1 - final) * wave + final


def k_decay(step: Scalar, steps: Scalar, *, k: Scalar = 3.0, final: Scalar = 0.0) -> Scalar:
    """(1 - final) (1 + cos(pi p^k)) / 2 + final: a cosine that stays high longer (Zhang and Li
    2020, k-decay, arXiv 2004.05909). Ends at `final`, zero by default. Factors have no unit.

    >>> float(k_decay(5, 10, k=1.0)) == float(cosine(5, 10))
    True
    """
    return (1 - final) * 0.5 * (1 + jnp.cos(jnp.pi * (step / steps) ** k)) + final


def exponential(
    step: Scalar,
    steps: Scalar,
    *,
    final: Scalar = 0.01,
    rate: Scalar | None = None,
    every: Scalar = 1,
    staircase: bool = False,
    lowest: Scalar = 0.0,
) -> Scalar:
    """final^p: a constant ratio from each step to the next.

    `final` is reached at `steps` (it is not zero). With `rate` given: rate^(step / every), `every`
    in steps, whole powers only where `staircase`, at least `lowest` (PyTorch's ExponentialLR,
    Optax's exponential_decay; Li and Arora 2020, arXiv 1910.07454). Factors have no unit.

    >>> round(float(exponential(5, 10)), 6), round(float(exponential(4, 10, rate=0.5, every=2)), 6)
    (0.1, 0.25)
    """
    if rate is None:
        return jnp.asarray(final, jnp.result_type(float)) ** (step / steps)
    exponent = jnp.floor(step / every) if staircase else step / every
    return jnp.maximum(jnp.asarray(rate, jnp.result_type(float)) ** exponent, lowest)


def natural_exponential(step: Scalar, steps: Scalar, *, rate: Scalar = 5.0) -> Scalar:
    """exp(-rate p): exponential decay by its rate over the whole run.

    Ends at exp(-rate), not at zero (Bottou 2012, "Stochastic gradient descent tricks"). `rate` has
    no unit.

    >>> round(float(natural_exponential(5, 10, rate=2.0)), 6)
    0.367879
    """
    return jnp.exp(-rate * (step / steps))


def inverse_time(step: Scalar, steps: Scalar, *, rate: Scalar = 10.0) -> Scalar:
    """1 / (1 + rate p): inverse-time decay, without unit.

    Ends at 1 / (1 + rate), not at zero (Robbins and Monro 1951, Ann. Math. Stat. 22:400; Bottou,
    Curtis and Nocedal 2018, arXiv 1606.04838).

    >>> round(float(inverse_time(10, 10, rate=9.0)), 6)
    0.1
    """
    return 1 / (1 + rate * (step / steps))


def inverse_sqrt(step: Scalar, steps: Scalar, *, timescale: Scalar = 0.05) -> Scalar:
    """1 / sqrt(max(1, step / t)), t = `timescale` in steps or as a fraction of them; after a warmup
    the step counts from its start (Vaswani et al. 2017, arXiv 1706.03762; "Noam").
    Not zero at the end.

    >>> round(float(inverse_sqrt(400, 1000, timescale=100)), 6)
    0.5
    """
    return 1 / jnp.sqrt(jnp.maximum(step / jnp.maximum(length(timescale, steps), 1), 1))


def noam(step: Scalar, steps: Scalar, *, rise: Scalar = 0.1) -> Scalar:
    """min(s / W, sqrt(W / s)), s = step + 1: up in a line for W = `rise` steps (or a fraction) and
    down as the inverse square root.

    With `peak` = 1 / sqrt(d_model W) it is d_model^-0.5 min(s^-0.5, s W^-1.5), the transformer's
    schedule, in the optimizer's unit (Vaswani et al. 2017, arXiv 1706.03762). Not zero at the end.

    >>> [round(float(noam(k, 100, rise=4)), 6) for k in (0, 3, 15)]
    [0.25, 1.0, 0.5]
    """
    s, ramp = step + 1, jnp.maximum(length(rise, steps), 1)
    return jnp.minimum(s / ramp, jnp.sqrt(ramp / s))


def power(
    step: Scalar, steps: Scalar, *, exponent: Scalar = 0.51, timescale: Scalar = 0.05
) -> Scalar:
    """min(1, (step / t)^-exponent): the power schedule, whose peak does not depend on the training
    length (Shen et al. 2024, arXiv 2408.13359). Not zero at the end. With LR = a batch n^-exponent,
    n in tokens, t is the step at which that is the peak: t = (a batch / peak)^(1 / exponent) /
    tokens per step; paper: a = 4.6, exponent = 0.51. Factors have no unit.

    >>> round(float(power(400, 1000, exponent=0.5, timescale=100)), 6)
    0.5
    """
    return jnp.maximum(step / jnp.maximum(length(timescale, steps), 1), 1) ** (-exponent)


def rex(step: Scalar, steps: Scalar, *, alpha: Scalar = 0.5) -> Scalar:
    """(1 - p) / (1 - alpha p): REX, which holds the rate up until late (Chen et al. 2022, arXiv
    2107.04197, alpha = 1/2). Zero at `steps`. Factors have no unit.

    >>> round(float(rex(5, 10)), 6)
    0.666667
    """
    p = step / steps
    return (1 - p) / (1 - alpha * p)


def tanh(step: Scalar, steps: Scalar, *, low: Scalar = -6.0, high: Scalar = 3.0) -> Scalar:
    """Hyperbolic-tangent decay (Hsueh et al. 2019, arXiv 1806.01593):
    (1 - tanh(low + (high - low) p)) / 2. Not zero at the end: (1 - tanh(high)) / 2. Factors have no
    unit.

    >>> round(float(tanh(10, 10)), 6)
    0.002473
    """
    return 0.5 * (1 - jnp.tanh(low + (high - low) * (step / steps)))


def hyperbolic(step: Scalar, steps: Scalar, *, upper: Scalar = 1.5, final: Scalar = 1e-3) -> Scalar:
    """1 + (1 - final) (h(p) - h(0)): an arc of a hyperbola, nearly the same at its start for any
    length.

    h(p) = sqrt((1 - p) (2 - (1 + p) / u) / u) with u = `upper` >= 1, a bound on all lengths over
    `steps`; ends at 1 - (1 - final) h(0), that is `final` for u = 1 and not at zero (Kim 2024,
    HyperbolicLR, arXiv 2407.15200). No unit.

    >>> float(hyperbolic(0, 10)), round(float(hyperbolic(10, 10, upper=1.0)), 6)
    (1.0, 0.001)
    """
    return 1 + (1 - final) * _hyperbola(step / steps, upper)


def exp_hyperbolic(
    step: Scalar, steps: Scalar, *, upper: Scalar = 1.5, final: Scalar = 1e-3
) -> Scalar:
    """final^(h(0) - h(p)): the hyperbola of `hyperbolic` in the logarithm.

    Ends at final^h(0), not at zero (Kim 2024, ExpHyperbolicLR, arXiv 2407.15200). No unit.

    >>> float(exp_hyperbolic(0, 10)), round(float(exp_hyperbolic(10, 10, upper=1.0)), 6)
    (1.0, 0.001)
    """
    return jnp.asarray(final, jnp.result_type(float)) ** -_hyperbola(step / steps, upper)


def _hyperbola(p: Scalar, upper: Scalar) -> Scalar:
    """h(p) - h(0), from 0 down to -h(0)."""

    def h(q: Scalar) -> Scalar:
        return jnp.sqrt(jnp.maximum((1 - q) / upper * (2 - (1 + q) / upper), 0))

    return h(p) - h(0.0)
