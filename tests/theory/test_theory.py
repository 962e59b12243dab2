"""Theory against published numbers, numerical derivatives, loops and enumeration."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from few import few

from lrlab import theory

T = 400
K = np.arange(T)
CASES = {
    "constant": (np.ones(T), 0.0181758951, 0.1375448081),
    "cosine": ((1 + np.cos(np.pi * K / T)) / 2, 0.0482418869, 0.1033859057),
    "wsd": (np.where(K < 320, 1.0, (T - K) / 80), 0.0253736614, 0.1093230125),
    "linear": (1 - K / T, 0.0495631307, 0.1006298654),
}


@pytest.mark.parametrize("name", CASES)
def test_published_bounds(name: str) -> None:
    schedule, lr, bound = CASES[name]
    found = theory.optimal_base_lr(schedule)
    assert abs(found.lr - lr) < 1e-9 and abs(found.bound - bound) < 1e-9
    assert theory.last_iterate_bound(schedule, base_lr=found.lr) == pytest.approx(found.bound)


def test_bound_as_written() -> None:
    rng = np.random.default_rng(0)
    eta, g, distance = rng.uniform(0.1, 1, 7), rng.uniform(0.5, 2, 7), 1.7
    tail = [eta[k:].sum() for k in range(7)]
    noise = [(eta[k:] ** 2 * g[k:] ** 2).sum() for k in range(7)]
    want = distance**2 / (2 * tail[0]) + noise[0] / (2 * tail[0])
    want += sum(eta[k] / tail[k + 1] * noise[k] / tail[k] for k in range(6)) / 2
    assert theory.last_iterate_bound(eta, g, distance) == pytest.approx(want, rel=1e-13)


def test_bound_gradient_is_the_derivative() -> None:
    rng = np.random.default_rng(1)
    eta, g = rng.uniform(0.1, 1, 6), rng.uniform(0.5, 2, 6)
    for k in range(6):
        step = 1e-6 * np.eye(6)[k]
        up, down = (theory.last_iterate_bound(eta + s, g, 1.3) for s in (step, -step))
        assert theory.bound_gradient(eta, g, 1.3)[k] == pytest.approx((up - down) / 2e-6, rel=1e-6)


def test_optimized_schedule_beats_linear() -> None:
    start = 1 - np.arange(60) / 60
    assert theory.last_iterate_bound(theory.optimize_schedule(start)) < (
        theory.optimal_base_lr(start).bound
    )


@pytest.mark.parametrize("bad", [[], [1.0, np.nan], [1.0, -1.0, 1.0], [1.0, 0.0], [[1.0]]])
def test_bad_schedules(bad: list) -> None:
    with pytest.raises(ValueError, match="schedule"):
        theory.optimal_base_lr(bad)


@pytest.mark.parametrize(("method", "momentum"), [("sgd", 0), ("momentum", 0.9), ("nesterov", 0.7)])
@pytest.mark.parametrize("lr", [0.01, 0.1, 0.5, 1.2])
def test_trajectories(method: str, momentum: float, lr: float) -> None:
    h = np.array([0.0, 0.01, 1.0, 3.0])
    x, buffer, path = np.ones(4), np.zeros(4), [np.ones(4)]
    for _ in range(40):
        buffer = momentum * buffer + h * x
        x = x - lr * (h * x + momentum * buffer if method == "nesterov" else buffer)
        path.append(x)
    found = theory.trajectory(method, h, lr, 40, momentum)
    assert np.allclose(found, path, rtol=1e-7, atol=1e-9)


def test_double_roots() -> None:
    best = theory.optimal_constants("momentum", 1.0, 100.0)
    x, buffer = np.ones(2), np.zeros(2)
    for _ in range(60):
        buffer = best.momentum * buffer + np.array([1.0, 100.0]) * x
        x = x - best.lr * buffer
    found = theory.trajectory("momentum", [1.0, 100.0], best.lr, 60, best.momentum)[-1]
    assert np.allclose(found, x, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("family", ["sgd", "momentum", "nesterov"])
def test_stability_flips(family: str) -> None:
    b = 0.0 if family == "sgd" else 0.9
    limit = theory.max_lr(family, 3.0, b)
    below, above = (theory.trajectory(family, 3.0, f * limit, 9000, b) for f in (0.999, 1.001))
    assert abs(below[-100:]).max() < 1 < abs(above[-100:]).max()


def test_frozen_adam() -> None:
    assert theory.max_sharpness("adam", 0.1, 0.9) == pytest.approx(380)
    for factor, stable in ((0.999, True), (1.001, False)):
        h, x, m = factor * theory.max_sharpness("ema", 0.5, 0.9), 1.0, 0.0
        for _ in range(9000):
            m = 0.9 * m + 0.1 * h * x
            x -= 0.5 * m
        assert (abs(x) < 1) == stable


def test_rates() -> None:
    for method in ("sgd", "momentum", "nesterov"):
        lr, b, rate = theory.optimal_constants(method, 1.0, 50.0)
        for h in (1.0, 50.0):
            a, c = (1 - lr * h, 0) if method == "sgd" else (1 + b - lr * h, b)
            if method == "nesterov":
                a, c = (1 + b) * (1 - lr * h), b * (1 - lr * h)
            assert max(abs(np.roots([1, -a, c]))) <= rate + 1e-7


def test_noisy_quadratic_forms_agree() -> None:
    h = 1 / np.arange(1, 30)
    trace = theory.noisy_quadratic_trace(h, np.full(50, 0.3), 4)
    closed = theory.noisy_quadratic_loss(h, 0.3, np.arange(51), 4)
    assert np.allclose(trace, closed, rtol=1e-12)
    steps = theory.noisy_quadratic_steps(h, 0.3, 4, trace[20] + 1e-9)
    assert steps == 20


@pytest.mark.parametrize(
    ("batch", "steps", "exact", "lr"),
    [(4, 1507367, 1515845, 0.0147), (256, 25880, 25778, 0.774)],
)
def test_published_noisy_quadratic(batch: int, steps: int, exact: int, lr: float) -> None:
    """Published: with the spectrum in 100 bins; exact: with each of its eigenvalues."""
    grid = np.logspace(-5, 0.5, 100)
    near = grid[np.abs(np.log(grid / lr)) < 0.4]
    best = theory.noisy_quadratic_best(1 / np.arange(1, 10001), near, batch, 0.01)
    assert best.steps == exact
    assert abs(best.steps / steps - 1) < 0.01
    assert abs(np.log(best.lr / lr)) < 1.5 * np.log(grid[1] / grid[0])


@pytest.mark.parametrize("batch", [1, 2])
def test_regression_risk_by_enumeration(batch: int) -> None:
    rng = np.random.default_rng(2)
    x, y, lrs = rng.normal(size=(3, 2)), rng.normal(size=3), [0.3, 0.2, 0.5]
    losses = np.zeros(4)
    draws = list(itertools.product(range(3), repeat=batch))
    for order in itertools.product(draws, repeat=3):
        w = np.array([0.5, -1.0])
        path = [0.5 * np.mean((x @ w - y) ** 2)]
        for lr, rows in zip(lrs, order, strict=True):
            part = list(rows)
            w = w - lr * x[part].T @ (x[part] @ w - y[part]) / batch
            path.append(0.5 * np.mean((x @ w - y) ** 2))
        losses += np.array(path) / len(draws) ** 3
    assert np.allclose(theory.regression_risk(x, y, lrs, batch, [0.5, -1.0]), losses, rtol=1e-10)


def test_catapult_is_gradient_descent() -> None:
    rng = np.random.default_rng(3)
    n, lr = 64, 1.3
    u, v = rng.normal(size=n), rng.normal(size=n)
    f, curvature = [], []
    for _ in range(21):
        f.append(u @ v / np.sqrt(n))
        curvature.append((u @ u + v @ v) / n)
        u, v = u - lr * f[-1] * v / np.sqrt(n), v - lr * f[-1] * u / np.sqrt(n)
    found = theory.catapult(f[0], curvature[0], lr, n, 20)
    assert np.allclose(found[0], f, atol=1e-10) and np.allclose(found[1], curvature, rtol=1e-10)


FAMILIES = ("sgd", "momentum", "nesterov", "ema", "nesterov_ema", "rmsprop", "adam")


def simulated(family: str, push: np.ndarray, b: np.ndarray, steps: int) -> np.ndarray:
    """|x| after `steps` of the optimizer as it is written, LR 1 on curvature `push`, from x = 1.

    Adam and RMSprop with their preconditioner held still are ema and heavy ball.
    """
    x, m = np.ones_like(push), np.zeros_like(push)
    for _ in range(steps):
        x, m = (np.where(abs(x) > 1e9, 1e9, v) for v in (x, m))  # once gone, gone
        share = 1 - b if family in ("ema", "nesterov_ema", "adam") else 1.0
        m = b * m + share * push * x
        ahead = family in ("nesterov", "nesterov_ema")
        x = x - (b * m + share * push * x if ahead else m)
    return abs(x)


@pytest.mark.parametrize("family", few(FAMILIES, 3))
def test_thresholds_by_simulation_at_random_momentum(family: str) -> None:
    b = np.random.default_rng(5).uniform(0, 0.97, 40) * (family != "sgd")
    limit = theory.max_sharpness(family, 1.0, b)
    below, above = (simulated(family, f * limit, b, 40_000) for f in (0.998, 1.002))
    assert (below < 1e-2).all() and (above > 1e2).all()


def test_thresholds_take_arrays() -> None:
    found = theory.max_lr("nesterov", np.array([[1.0], [2.0]]), np.array([0.0, 0.5, 0.9]))
    assert found.shape == (2, 3) and found[1, 0] == 1.0
    assert theory.max_lr("adam", 4.0) == pytest.approx(9.5)
    for bad in ({"sharpness": -1.0}, {"sharpness": 1.0, "momentum": 1.0}):
        with pytest.raises(ValueError):
            theory.max_lr("momentum", **bad)


@pytest.mark.parametrize("method", ["sgd", "momentum", "nesterov", "ema", "nesterov_ema"])
def test_convergence_rates(method: str) -> None:
    rng = np.random.default_rng(6)
    b = rng.uniform(0.1, 0.9, 30) * (method != "sgd")
    lr, h = rng.uniform(0.05, 0.95, 30), 1.0
    rate = theory.convergence_rate(method, h, lr * theory.max_lr(method, h, b), b)
    size = simulated(method, lr * theory.max_lr(method, h, b), b, 400)
    assert (rate < 1).all()
    slow = rate > 0.9  # the rest is at rounding
    assert np.allclose(np.log(size[slow]) / 400, np.log(rate[slow]), atol=0.02)
    limit = theory.convergence_rate(method, h, theory.max_lr(method, h, b), b)
    assert np.allclose(limit, 1, atol=1e-12)


@pytest.mark.parametrize("method", ["ema", "nesterov_ema"])
def test_optimal_constants_of_averages(method: str) -> None:
    lr, b, rate = theory.optimal_constants(method, 1.0, 30.0)
    assert theory.convergence_rate(method, [1.0, 7.0, 30.0], lr, b).max() == pytest.approx(rate)
    rng = np.random.default_rng(7)
    worst = theory.convergence_rate(
        method,
        np.array([[1.0], [30.0]]),
        lr * rng.uniform(0.3, 2, 2000),
        np.clip(b + rng.normal(size=2000) / 10, 0, 0.99),
    ).max(0)
    assert worst.min() >= rate


def test_bound_of_one_step_and_of_varying_gradients() -> None:
    # One step: D^2/(2 eta) + eta g^2/2, best at D/g.
    best = theory.optimal_base_lr([1.0], [3.0], 2.0)
    assert best.lr == pytest.approx(2 / 3) and best.bound == pytest.approx(6.0)
    # The bound does not change when schedule and base LR trade a factor, or f its unit.
    eta, g = np.array([1.0, 2.0, 0.5, 0.1]), np.array([1.0, 0.5, 2.0, 3.0])
    once = theory.last_iterate_bound(eta, g, 1.5, base_lr=0.3)
    assert theory.last_iterate_bound(0.3 * eta, g, 1.5) == pytest.approx(once)
    assert theory.last_iterate_bound(eta / 4, 2 * g, 1.5, base_lr=0.6) == pytest.approx(2 * once)
    near = [
        theory.last_iterate_bound(eta, g, 1.5, theory.optimal_base_lr(eta, g, 1.5).lr * f)
        for f in (0.99, 1.0, 1.01)
    ]
    assert min(near) == near[1]


def test_bound_holds_in_training() -> None:
    """Subgradient descent on random |x|-like losses, whatever the schedule."""
    rng = np.random.default_rng(8)
    for _ in range(50):
        slopes = rng.normal(size=(6, 3))
        slopes[0] = -slopes[1:].sum(0)
        steps = rng.integers(1, 30)
        eta = rng.uniform(0.01, 1, steps)
        x = rng.normal(size=3)
        distance, norms = np.linalg.norm(x), []
        for k in range(steps):
            g = slopes[np.argmax(slopes @ x)]
            norms.append(np.linalg.norm(g))
            last = (slopes @ x).max()
            x = x - eta[k] * g
        assert last <= theory.last_iterate_bound(eta, norms, distance) + 1e-12


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9])
def test_noisy_quadratic_with_momentum(momentum: float) -> None:
    """Against 20,000 simulated runs, and steps to a target against the trace."""
    h, lr, batch = np.array([1.0, 0.2, 0.03]), 0.2, 4
    rng = np.random.default_rng(9)
    x, m = np.ones((20_000, 3)), np.zeros((20_000, 3))
    trace = theory.noisy_quadratic_trace(h, np.full(60, lr), batch, momentum=momentum)
    for k in range(60):
        losses = 0.5 * (h * x**2).sum(1)
        error = losses.std() / np.sqrt(len(losses))
        assert abs(losses.mean() - trace[k]) <= 5 * error + 1e-12
        m = momentum * m + h * x + rng.normal(size=x.shape) * np.sqrt(h / batch)
        x = x - lr * m
    trace = theory.noisy_quadratic_trace(h, np.full(60, 0.05), 64, momentum=momentum)
    for k in (1, 2, 13, 40):
        target = (trace[k] + trace[k - 1]) / 2
        found = theory.noisy_quadratic_steps(h, 0.05, 64, target, momentum=momentum)
        found = int(found)
        assert found == np.argmax(trace <= target) or momentum == 0.9  # there it swings
        assert trace[found] <= target < trace[found - 1]


def test_noisy_quadratic_scaling_has_a_critical_batch() -> None:
    h = 1 / np.arange(1, 101)
    found = theory.noisy_quadratic_scaling(h, [1, 2, 4, 2**14, 2**15], 0.02)
    assert np.allclose(found.steps[:2] / found.steps[1:3], 2, rtol=0.1)
    assert found.steps[3] < 1.05 * found.steps[4] and found.lr[3] > 0.8 * found.lr[4]
    heavy = theory.noisy_quadratic_scaling(h, [2**15], 0.02, momentum=0.9)
    assert heavy.steps[0] < 0.75 * found.steps[4]  # momentum pays at large batches


def test_noisy_quadratic_takes_arrays() -> None:
    h = np.array([1.0, 0.3])
    batches = np.array([1.0, 8.0])
    found = theory.noisy_quadratic_loss(h, 0.1, np.array([[5], [9]]), batches)
    assert found.shape == (2, 2)
    assert found[1, 0] == pytest.approx(theory.noisy_quadratic_loss(h, 0.1, 9, 1))


def test_regression_without_replacement_by_enumeration() -> None:
    rng = np.random.default_rng(3)
    x, y, lrs = rng.normal(size=(4, 2)), rng.normal(size=4), [0.3, 0.5]
    draws = list(itertools.combinations(range(4), 2))
    losses = np.zeros(3)
    for order in itertools.product(draws, repeat=2):
        w = np.zeros(2)
        path = [0.5 * np.mean((x @ w - y) ** 2)]
        for lr, rows in zip(lrs, order, strict=True):
            part = list(rows)
            w = w - lr * x[part].T @ (x[part] @ w - y[part]) / 2
            path.append(0.5 * np.mean((x @ w - y) ** 2))
        losses += np.array(path) / len(draws) ** 2
    assert np.allclose(theory.regression_risk(x, y, lrs, 2, replacement=False), losses, rtol=1e-10)
    whole = theory.regression_risk(x, y, lrs, 4, replacement=False)
    w = np.zeros(2)
    for k, lr in enumerate(lrs):
        assert whole[k] == pytest.approx(0.5 * np.mean((x @ w - y) ** 2))
        w = w - lr * x.T @ (x @ w - y) / 4


def test_gaussian_regression_by_simulation() -> None:
    h, lrs, batch, runs = np.array([1.0, 0.3]), [0.4, 0.6, 0.3], 2, 40_000
    rng = np.random.default_rng(4)
    e = np.ones((runs, 2))
    want = theory.gaussian_regression_risk(h, lrs, batch, noise=0.5)
    for k in range(4):
        losses = 0.5 * ((h * e**2).sum(1) + 0.25)
        assert abs(losses.mean() - want[k]) <= 5 * losses.std() / np.sqrt(runs) + 1e-12
        if k < 3:
            x = rng.normal(size=(runs, batch, 2)) * np.sqrt(h)
            wrong = np.einsum("rbd,rd->rb", x, e) + 0.5 * rng.normal(size=(runs, batch))
            e = e - lrs[k] * np.einsum("rbd,rb->rd", x, wrong) / batch


def test_batch_rules() -> None:
    assert theory.sde_rule("momentum", 32, 64, lr=0.1, momentum=0.9) == {
        "lr": 0.2, "momentum": 0.9,
    }  # fmt: skip
    adam = theory.sde_rule("adam", 256, 64, lr=1e-3, b1=0.9, b2=0.999, eps=1e-8)
    assert adam == pytest.approx({"lr": 5e-4, "b1": 0.975, "b2": 0.99975, "eps": 2e-8})
    with pytest.raises(ValueError, match="too large"):
        theory.sde_rule("adam", 1, 16, lr=1e-3, b1=0.9)
    # Equal temperature under the linear rule; half of the largest LR at the noise scale.
    assert theory.sde_temperature(0.1, 32) == pytest.approx(theory.sde_temperature(0.2, 64))
    assert theory.noise_scale_rule(1.0, 10.0, np.array([10.0, 1e9])) == pytest.approx([0.5, 1.0])


def test_noise_scale_rule_is_the_best_step() -> None:
    """On a quadratic: E loss after one step of size e is least at the rule's e."""
    h, g, var, batch = np.array([2.0, 0.5]), np.array([1.0, -2.0]), np.array([3.0, 1.0]), 4
    gain, bend, spread = g @ g, (g * h) @ g, (h * var).sum()
    steps = np.linspace(0.01, 2, 4000)
    loss = -steps * gain + steps**2 / 2 * (bend + spread / batch)
    best = theory.noise_scale_rule(gain / bend, spread / bend, batch)
    assert steps[np.argmin(loss)] == pytest.approx(best, abs=1e-3)
