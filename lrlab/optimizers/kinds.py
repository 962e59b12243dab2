"""What kinds of optimizers there are: other names, who needs no rate, who may not do what."""

from __future__ import annotations

from typing import Any

ALIASES: dict[str, tuple[str, dict[str, Any]]] = {
    "polyak_sgd": ("polyak", {"cap": 1.0}),
    "dadapt_adamw": ("dadapt_adam", {}),
    "mechanize": ("mechanic", {}),
    "optimistic_adam_v2": ("optimistic_adam", {}),
    "schedule_free": ("schedule_free_sgd", {}),
}
"""Optax's name -> the name here, and what is Optax's default there."""

LR_FREE: tuple[str, ...] = (
    "dadapt_sgd",
    "dadapt_adam",
    "dadapt_lion",
    "prodigy",
    "dog",
    "l_dog",
    "dowg",
    "cocob",
    "mechanic",
    "momo",
    "momo_adam",
    "schedule_free_sgd",
    "schedule_free_adamw",
    "schedule_free_radam",
    "adagrad_norm",
)
"""Methods that need no tuned learning rate, or claim so: their `lr` has a default."""

CONTROLLERS: tuple[str, ...] = (
    "reduce_on_plateau",
    "polyak",
    "sps",
    "armijo",
    "stochastic_line_search",
    "zoom_line_search",
    "exact_line_search",
    "bb1",
    "bb2",
    "hypergradient_sgd",
    "hypergradient_nesterov",
    "hypergradient_adam",
    "greedy",
)
"""Adaptive controllers: step sizes from losses, gradients or function values as they come."""

ONE_BATCH: tuple[str, ...] = (
    "lbfgs",
    "sam",
    "sophia",
    "armijo",
    "stochastic_line_search",
    "zoom_line_search",
    "exact_line_search",
)
"""Methods that call the loss of the step's batch again: gradients cannot be accumulated."""

NEEDS: dict[str, tuple[str, ...]] = {
    "momo": ("value",),
    "momo_adam": ("value",),
    "reduce_on_plateau": ("value",),
    "polyak": ("value",),
    "sps": ("value",),
    "greedy": ("value",),
    "armijo": ("value", "value_fn"),
    "stochastic_line_search": ("value", "value_fn"),
    "zoom_line_search": ("value", "grad", "value_fn"),
    "exact_line_search": ("value_fn",),
    "lbfgs": ("value", "grad", "value_fn"),
    "sam": ("value_fn",),
    "sophia": ("value_fn",),
}
"""What an update needs beside gradients and parameters: the loss, its gradient at these parameters,
the loss as a function of parameters. Every optimizer takes all three; these look at them."""

OWN_ITERATES: tuple[str, ...] = (
    "dadapt_sgd",
    "cocob",
    "schedule_free_sgd",
    "schedule_free_adamw",
    "schedule_free_radam",
)
"""Methods that set the parameters from sums of their own: what is done to a finished update is lost
with the next one."""

NO_MULTIPLIERS: tuple[str, ...] = (*OWN_ITERATES, "madgrad")
"""Methods whose update, multiplied, is not theirs with a multiple of the learning rate: parameters
that follow a point of the method's own arrive there whatever the factor."""

REAL_ONLY: tuple[str, ...] = (
    "adadelta",
    "adopt",
    "cocob",
    "dadapt_adam",
    "dadapt_lion",
    "madgrad",
    "mechanic",
    "momo",
    "momo_adam",
    "prodigy",
    "rprop",
    "sm3",
    "sophia",
)
"""Methods that order, clip or multiply numbers so that complex parameters make no sense in them."""

COUPLED: tuple[str, ...] = (
    "lars",
    "novograd",
    "lbfgs",
    "dadapt_sgd",
    "dog",
    "l_dog",
    "dowg",
    "cocob",
    "mechanic",
    "schedule_free_sgd",
    "adagrad_norm",
    "polyak",
    "sps",
    "armijo",
    "stochastic_line_search",
    "zoom_line_search",
    "exact_line_search",
    "bb1",
    "bb2",
)
"""Optimizers whose weight decay goes into the gradient unless `decoupled = True` is asked for."""

OPTIONS: dict[str, Any] = {
    "weight_decay": 0.0,
    "decoupled": True,
    "clip_norm": None,
    "accumulate": 1,
    "ema": None,
    "average_from": None,
    "multipliers": None,
}
"""What every optimizer takes besides its own hyper-parameters; see `lrlab.optimizers.options`."""
