"""Closed forms: stability thresholds, quadratics, schedule bounds, noisy quadratics, catapults.

NumPy in float64, pure functions, one topic a file. A learning rate (LR) has the unit
parameter^2 / loss, a curvature its inverse.
"""

from lrlab.theory.batch import linear_rule, sde_time, sqrt_rule
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
    noisy_quadratic_steps,
    noisy_quadratic_trace,
)
from lrlab.theory.quadratic import optimal_constants, trajectory
from lrlab.theory.regression import regression_risk
from lrlab.theory.stability import max_lr, max_sharpness
