"""Methods that find their step size themselves: learning-rate-free ones, adaptive controllers."""

from __future__ import annotations

from lrlab.optimizers.method import Method

# fmt: off
SELF_TUNING: dict[str, Method] = {
    "dadapt_sgd": Method(
        "lrlab.optimizers.dadaptation:dadapt_sgd", kind="learning-rate-free", decoupled=False,
        own_iterates=True,
    ),
    "dadapt_adam": Method(
        "lrlab.optimizers.dadaptation:dadapt_adam", kind="learning-rate-free", real_only=True,
        aliases={"dadapt_adamw": {}},
    ),
    "dadapt_lion": Method(
        "lrlab.optimizers.dadaptation:dadapt_lion", kind="learning-rate-free", real_only=True,
    ),
    "prodigy": Method(
        "lrlab.optimizers.prodigy:prodigy", kind="learning-rate-free", real_only=True,
    ),
    "dog": Method("lrlab.optimizers.dog:dog", kind="learning-rate-free", decoupled=False),
    "l_dog": Method("lrlab.optimizers.dog:l_dog", kind="learning-rate-free", decoupled=False),
    "dowg": Method("lrlab.optimizers.dog:dowg", kind="learning-rate-free", decoupled=False),
    "cocob": Method(
        "lrlab.optimizers.cocob:cocob", kind="learning-rate-free", decoupled=False,
        own_iterates=True, real_only=True,
    ),
    "mechanic": Method(
        "lrlab.optimizers.mechanic:mechanic", kind="learning-rate-free", decoupled=False,
        real_only=True, aliases={"mechanize": {}},
    ),
    "momo": Method(
        "lrlab.optimizers.momo:momo", kind="learning-rate-free", needs=("value",), real_only=True,
    ),
    "momo_adam": Method(
        "lrlab.optimizers.momo:momo_adam", kind="learning-rate-free", needs=("value",),
        real_only=True,
    ),
    "schedule_free_sgd": Method(
        "lrlab.optimizers.schedule_free:schedule_free_sgd", kind="learning-rate-free",
        decoupled=False, own_iterates=True, aliases={"schedule_free": {}},
    ),
    "schedule_free_adamw": Method(
        "lrlab.optimizers.schedule_free:schedule_free_adamw", kind="learning-rate-free",
        own_iterates=True,
    ),
    "schedule_free_radam": Method(
        "lrlab.optimizers.schedule_free:schedule_free_radam", kind="learning-rate-free",
        own_iterates=True,
    ),
    "adagrad_norm": Method(
        "lrlab.optimizers.adagrad_norm:adagrad_norm", kind="learning-rate-free", decoupled=False,
    ),
    "reduce_on_plateau": Method(
        "lrlab.optimizers.plateau:reduce_on_plateau", kind="controller", needs=("value",),
    ),
    "polyak": Method(
        "lrlab.optimizers.polyak:polyak", kind="controller", decoupled=False, needs=("value",),
        aliases={"polyak_sgd": {"cap": 1.0}},
    ),
    "sps": Method(
        "lrlab.optimizers.polyak:sps", kind="controller", decoupled=False, needs=("value",),
    ),
    "armijo": Method(
        "lrlab.optimizers.linesearch:armijo", kind="controller", decoupled=False,
        needs=("value", "value_fn"),
    ),
    "stochastic_line_search": Method(
        "lrlab.optimizers.linesearch:stochastic_line_search", kind="controller", decoupled=False,
        needs=("value", "value_fn"),
    ),
    "zoom_line_search": Method(
        "lrlab.optimizers.linesearch:zoom_line_search", kind="controller", decoupled=False,
        needs=("value", "grad", "value_fn"),
    ),
    "exact_line_search": Method(
        "lrlab.optimizers.linesearch:exact_line_search", kind="controller", decoupled=False,
        needs=("value_fn",),
    ),
    "bb1": Method("lrlab.optimizers.barzilai_borwein:bb1", kind="controller", decoupled=False),
    "bb2": Method("lrlab.optimizers.barzilai_borwein:bb2", kind="controller", decoupled=False),
    "hypergradient_sgd": Method(
        "lrlab.optimizers.hypergradient:hypergradient_sgd", kind="controller",
    ),
    "hypergradient_nesterov": Method(
        "lrlab.optimizers.hypergradient:hypergradient_nesterov", kind="controller",
    ),
    "hypergradient_adam": Method(
        "lrlab.optimizers.hypergradient:hypergradient_adam", kind="controller",
    ),
    "greedy": Method("lrlab.optimizers.greedy:greedy", kind="controller", needs=("value",)),
}
# fmt: on
