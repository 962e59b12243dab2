"""Anyone's own rule: a function of a curve, and what is said where it gives no learning rate."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Sequence

import numpy as np

from lrlab.search.rules.curves import Pick

Rule = Callable[..., object]
"""`rule(lr f64[N], loss f64[N]) -> float`, `loss` nan after divergence; nan or None: no rate. As in
fastai, it may take `num_it` (N), and give `(rate, (rate, loss))`, of which the rate counts."""

MAX_DIVISOR = 10.0
"""Factor: a rule may point so far below the first rate, since many take a tenth of what they
find."""


def name_of(rule: Rule) -> str:
    """What a rule is called in sentences."""
    return str(getattr(rule, "__name__", type(rule).__name__))


def suggestions(rule: Rule, lr: np.ndarray, losses: np.ndarray, seeds: Sequence[int]) -> np.ndarray:
    """One learning rate per seed, f64[seeds]; nan where the rule gives none, with a warning that
    says for which seeds, as for rates outside those that were tried.

    Args:
        lr: f64[N]; losses: [seeds, N].

    Raises:
        ValueError: the rule fails, or gives something that is no learning rate; names the seed.

    >>> lr, loss = np.geomspace(1e-3, 1.0, 4), np.array([[3.0, 2.0, 1.0, 9.0]])
    >>> suggestions(lambda lr, loss: lr[loss.argmin()], lr, loss, [0]).round(6).tolist()
    [0.1]
    """
    picks = [_asked(rule, lr, row, seed) for row, seed in zip(losses, seeds, strict=True)]
    name, rates = name_of(rule), np.array([pick.lr for pick in picks])
    silent = [int(seed) for seed, one in zip(seeds, rates, strict=True) if np.isnan(one)]
    if silent:
        why = next((f": {pick.reason}" for pick in picks if pick.reason), "")
        _warn(f"rule {name!r} suggests no learning rate for {_seeds(silent)}{why}")
    with np.errstate(invalid="ignore"):
        beyond = (rates < lr[0] / MAX_DIVISOR) | (rates > lr[-1])
    if beyond.any():
        shown = ", ".join(f"{value:.3g}" for value in rates[beyond][:4])
        _warn(
            f"rule {name!r} suggests {shown}, outside the rates that were tried, {lr[0]:.3g} to "
            f"{lr[-1]:.3g} (a tenth of the first is allowed): nothing is known of them"
        )
    return rates


def _asked(rule: Rule, lr: np.ndarray, loss: np.ndarray, seed: int) -> Pick:
    options = {"num_it": len(lr)} if _takes_count(rule) else {}
    try:
        answer = rule(lr.copy(), np.array(loss, np.float64), **options)
    except Exception as error:
        raise ValueError(
            f"rule {name_of(rule)!r} failed for seed {seed}: {type(error).__name__}: {error}. A "
            f"rule is called as rule(lr, loss), two arrays of {len(lr)} numbers, loss nan after "
            "divergence, and gives a learning rate, or nan where it sees none"
        ) from error
    if isinstance(answer, Pick):
        return answer
    if answer is None:
        return Pick(float("nan"), "it gave None")
    if isinstance(answer, tuple) and len(answer) == 2 and np.ndim(answer[0]) == 0:
        answer = answer[0]  # fastai's: the rate, and its place in the plot
    try:
        array = np.asarray(answer)
    except ValueError:  # rows of several lengths
        array = np.empty(0)
    if array.size != 1 or array.dtype.kind not in "fiu":
        what = f"an array of shape {array.shape}" if array.size != 1 else repr(answer)[:80]
        raise ValueError(
            f"rule {name_of(rule)!r} must give one learning rate, a number; for seed {seed} it "
            f"gave {what}"
        )
    value = float(array.reshape(()))
    if value <= 0 or np.isinf(value):
        raise ValueError(
            f"rule {name_of(rule)!r} gave {value:g} for seed {seed}; a learning rate is above 0 "
            "and finite, and nan says that there is none"
        )
    return Pick(value, "it gave nan" if np.isnan(value) else "")


def _takes_count(rule: Rule) -> bool:
    try:
        return "num_it" in inspect.signature(rule).parameters
    except (TypeError, ValueError):  # builtins without a signature
        return False


def _seeds(seeds: Sequence[int]) -> str:
    return f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"


def _warn(text: str) -> None:
    warnings.warn(text, UserWarning, stacklevel=5)
