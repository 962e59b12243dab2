"""Did you mean ...: what is close to an unknown word, and the field's usual words for what has
another name here: PyTorch's, Optax's, Keras's and others'.

Only for suggestions: nothing is read under these words.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

Words = Mapping[str, tuple[str, ...]]

OPTIMIZER: Words = {
    "betas": ("b1", "b2", "b3"),
    "beta1": ("b1", "adam_b1"),
    "beta_1": ("b1", "adam_b1"),
    "beta2": ("b2", "adam_b2"),
    "beta_2": ("b2", "adam_b2"),
    "beta_3": ("b3", "beta3"),
    "beta": ("b1", "momentum"),
    "momentum": ("b1", "beta"),
    "epsilon": ("eps",),
    "epsilon_root": ("eps_root",),
    "eps_sqrt": ("eps_root",),
    "eps_root": ("eps",),
    "wd": ("weight_decay",),
    "l2": ("weight_decay",),
    "decay": ("weight_decay",),
    "weight_decay_rate": ("weight_decay",),
    "alpha": ("decay", "slow_step_size"),
    "rho": ("decay",),
    "initial_accumulator": ("initial_accumulator_value",),
    "etas": ("eta_minus", "eta_plus"),
    "step_sizes": ("min_step_size", "max_step_size"),
    "history_size": ("memory_size",),
    "max_iter": ("linesearch_steps",),
    "max_linesearch_steps": ("linesearch_steps", "max_steps"),
    "trust_coef": ("trust_coefficient",),
    "clip": ("clip_norm",),
    "clipnorm": ("clip_norm",),
    "global_clipnorm": ("clip_norm",),
    "grad_clip": ("clip_norm",),
    "max_norm": ("clip_norm",),
    "max_grad_norm": ("clip_norm",),
    "gradient_clip_val": ("clip_norm",),
    "every_k_schedule": ("accumulate",),
    "grad_accum": ("accumulate",),
    "accumulate_grad_batches": ("accumulate",),
    "gradient_accumulation_steps": ("accumulate",),
    "ema_decay": ("ema",),
    "ema_momentum": ("ema",),
    "swa_start": ("average_from",),
    "threshold": ("rtol",),
    "min_delta": ("rtol",),
    "atol": ("rtol",),
    "mode": ("threshold_mode",),
    "min_lr": ("min_scale",),
    "max_learning_rate": ("cap",),
    "max_lr": ("cap",),
    "f_star": ("f_min", "lower_bound"),
    "lb": ("lower_bound",),
    "d0": ("estim_lr0",),
    "d_coef": ("estim_lr_coef",),
    "reps_rel": ("init_step",),
    "la_steps": ("sync_period",),
    "la_alpha": ("slow_step_size",),
    "learning_rate": ("lr",),
    "lr": ("lr",),
}
"""A word for an optimizer's option -> the names here; those that the optimizer has are shown."""

SCHEDULE: Words = {
    "T_max": ("half", "steps"),
    "T_0": ("cycle",),
    "T_mult": ("growth",),
    "eta_min": ("final", "low", "lowest"),
    "min_lr": ("final", "low", "lowest"),
    "min_lr_ratio": ("final", "low", "lowest"),
    "lr_end": ("final", "low", "lowest"),
    "end_lr": ("final", "low", "lowest"),
    "end_value": ("final", "lowest", "low"),
    "final_lr": ("final", "low"),
    "final_div_factor": ("final",),
    "end_factor": ("final",),
    "alpha": ("final",),
    "base_lr": ("low", "lr"),
    "div_factor": ("start",),
    "start_factor": ("start", "warmup_start"),
    "init_lr": ("warmup_start",),
    "warmup_init_lr": ("warmup_start",),
    "pct_start": ("up", "warmup"),
    "anneal_strategy": ("kind",),
    "gamma": ("rate", "decay"),
    "decay_rate": ("rate",),
    "decay_factor": ("rate",),
    "step_size": ("every",),
    "decay_steps": ("every", "cooldown", "steps"),
    "transition_steps": ("every", "steps"),
    "step_size_up": ("up",),
    "step_size_down": ("down",),
    "boundaries_and_scales": ("boundaries", "factors"),
    "exponent": ("power",),
    "base_momentum": ("low_momentum",),
    "cycle_momentum": ("low_momentum",),
    "warmup_steps": ("warmup",),
    "warmup_iters": ("warmup",),
    "warmup_epochs": ("warmup",),
    "warmup_ratio": ("warmup",),
    "warmup_fraction": ("warmup",),
    "num_warmup_steps": ("warmup",),
    "cooldown_steps": ("cooldown",),
    "num_decay_steps": ("cooldown",),
    "total_steps": ("steps",),
    "total_iters": ("steps",),
    "num_training_steps": ("steps",),
    "max_lr": ("lr",),
    "peak_lr": ("lr",),
    "peak_value": ("lr",),
    "init_value": ("lr",),
    "learning_rate": ("lr",),
    "lr": ("lr",),
}
"""A word for a schedule's parameter -> the names here."""

OPTIMIZER_NAME: Words = {
    "adam_w": ("adamw",),
    "sgd_momentum": ("momentum",),
    "sgdm": ("momentum",),
    "ReduceLROnPlateau": ("reduce_on_plateau",),
}
SCHEDULE_NAME: Words = {
    "CosineAnnealingLR": ("cosine",),
    "CosineAnnealingWarmRestarts": ("cosine_restarts",),
    "CyclicLR": ("triangular",),
    "ExponentialLR": ("exponential",),
    "LinearLR": ("linear",),
    "MultiStepLR": ("multistep",),
    "OneCycleLR": ("one_cycle",),
    "PolynomialLR": ("polynomial",),
    "StepLR": ("step",),
    "ConstantLR": ("constant",),
    "cosine_decay_schedule": ("cosine",),
    "cosine_onecycle_schedule": ("one_cycle",),
    "linear_onecycle_schedule": ("one_cycle",),
    "exponential_decay": ("exponential",),
    "linear_schedule": ("linear",),
    "piecewise_constant_schedule": ("piecewise",),
    "polynomial_schedule": ("polynomial",),
    "sgdr_schedule": ("cosine_restarts",),
    "warmup_cosine_decay_schedule": ("cosine",),
}

OF_ALL = ("lr", "steps")
"""What is no option, but a field beside `optimizer` and `schedule`."""


def did_you_mean(
    word: object,
    known: Iterable[str],
    words: Words | None = None,
    *,
    cutoff: float = 0.6,
    end: str = "",
) -> str:
    """`"; did you mean 'x'?"` where something known is usual for `word`, or close to it; else `""`.

    Args:
        words: what other tools call things; `cutoff`: how near (difflib's ratio) is close.
        end: what comes after a hint that is no question, and in place of none, as in "."

    >>> did_you_mean("betas", ["b1", "b2", "eps"], OPTIMIZER)
    "; did you mean 'b1', 'b2'? betas is written b1, b2 here"
    >>> did_you_mean("T_max", ["warmup", "final"], SCHEDULE)
    "; did you mean 'steps'? T_max is written steps here, beside optimizer and schedule"
    >>> did_you_mean("cosin", ["cosine", "linear"]), did_you_mean("x", ["linear"], end=".")
    ("; did you mean 'cosine'?", '.')
    """
    hint = _hint(word, list(known), words or {}, cutoff)
    return hint if hint.endswith("?") else f"{hint}{end}"


def closest(word: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """What is close to `word` among the known, or is it but for capitals; None where nothing is.

    >>> closest("weight_deacy", ["lr", "weight_decay"]), closest("LR", ["lr"]), closest("q", ["lr"])
    ('weight_decay', 'lr', None)
    """
    known = list(known)
    close = difflib.get_close_matches(word, known, n=1, cutoff=cutoff)
    return next(iter([*close, *(name for name in known if name.lower() == word.lower())]), None)


def _hint(word: object, known: list[str], words: Words, cutoff: float) -> str:
    if not isinstance(word, str):
        return ""
    usual = words.get(word, ())
    own = [name for name in usual if name in known]
    elsewhere = [name for name in usual if name in OF_ALL and name not in known]
    if own or elsewhere:
        shown = own or elsewhere
        if shown == [word]:  # the right word in the wrong place
            return f"; {word} stands beside optimizer and schedule"
        beside = "" if own else ", beside optimizer and schedule"
        names = ", ".join(map(repr, shown))
        return f"; did you mean {names}? {word} is written {', '.join(shown)} here{beside}"
    close = closest(word, known, cutoff)
    return "" if close is None else f"; did you mean {close!r}?"
