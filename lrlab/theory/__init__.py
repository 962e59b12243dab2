"""Closed forms: stability thresholds, quadratics, schedule bounds, noisy quadratics, catapults.

NumPy in float64, pure functions, one topic a file. A learning rate (LR) has the unit
parameter^2 / loss, a curvature its inverse.

| question | functions |
|---|---|
| Where does an optimizer become unstable? | `max_lr`, `max_sharpness` |
| How fast is it on quadratics, and with which constants? | `convergence_rate`, `trajectory`,
  `optimal_constants` |
| What can a schedule guarantee, at which base LR? | `last_iterate_bound`, `optimal_base_lr`,
  `bound_gradient`, `optimize_schedule` |
| How do noise and batch size act on quadratics? | `noisy_quadratic_loss`, `..._trace`, `..._steps`,
  `..._best`, `..._scaling` |
| The same for linear regression | `regression_risk`, `gaussian_regression_risk` |
| Another batch size: which LR? | `linear_rule`, `sqrt_rule`, `sde_rule`, `noise_scale_rule`,
  `sde_time`, `sde_temperature` |
| An LR above 2 / curvature | `catapult_phase`, `catapult` |
"""

from lrlab.theory.batch import (
    linear_rule,
    noise_scale_rule,
    sde_rule,
    sde_temperature,
    sde_time,
    sqrt_rule,
)
from lrlab.theory.bounds import (
    ScheduleBound,
    bound_gradient,
    last_iterate_bound,
    optimal_base_lr,
    optimize_schedule,
)
from lrlab.theory.catapult import PHASES, catapult, catapult_phase
from lrlab.theory.noisy_quadratic import (
    noisy_quadratic_best,
    noisy_quadratic_loss,
    noisy_quadratic_scaling,
    noisy_quadratic_steps,
    noisy_quadratic_trace,
)
from lrlab.theory.quadratic import convergence_rate, optimal_constants, trajectory
from lrlab.theory.regression import gaussian_regression_risk, regression_risk
from lrlab.theory.stability import max_lr, max_sharpness
