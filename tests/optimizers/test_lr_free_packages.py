"""The authors' PyTorch packages beside ours, live: 50 steps of the fixed two-layer problem.

`pip install -e ".[reference]"` brings them; each test is skipped where its package is absent. What
they gave is also stored in tests/reference/lr_free_packages.json, which is compared with ours
everywhere (tests/optimizers/test_optimizers_reference.py): here the file itself is checked.
"""

from __future__ import annotations

import importlib
import json

import numpy as np
import pytest
from places import REFERENCE

FILE = REFERENCE / "lr_free_packages.json"
PACKAGES = json.loads(FILE.read_text())
NAMES, MARKS = ("w1", "b1", "w2"), (1, 10, 25, 50)

OPTIMIZERS = {
    "prodigy": ("prodigyopt", "Prodigy", {"lr": 1.0, "d0": 1e-2, "use_bias_correction": True}),
    "dadapt_adam": (
        "dadaptation", "DAdaptAdam", {"lr": 1.0, "d0": 1e-2, "use_bias_correction": True},
    ),
    "dadapt_sgd": ("dadaptation", "DAdaptSGD", {"lr": 1.0, "d0": 1e-2, "momentum": 0.9}),
    "dadapt_lion": ("dadaptation", "DAdaptLion", {"lr": 1.0, "d0": 1e-2}),
    "dog": ("dog", "DoG", {"reps_rel": 1e-2}),
    "l_dog": ("dog", "LDoG", {"reps_rel": 1e-2}),
    "momo": ("momo", "Momo", {"lr": 1.0, "beta": 0.9}),
    "momo_adam": ("momo", "MomoAdam", {"lr": 1e-2}),
    "mechanic": ("mechanic_pytorch", "mechanize", {"s_init": 1e-2}),
    "schedule_free_sgd": ("schedulefree", "SGDScheduleFree", {"lr": 0.1, "momentum": 0.9}),
    "schedule_free_adamw": (
        "schedulefree", "AdamWScheduleFree", {"lr": 0.01, "weight_decay": 0.1},
    ),
    "schedule_free_radam": ("schedulefree", "RAdamScheduleFree", {"lr": 0.01}),
    "prodigy without bias correction": ("prodigyopt", "Prodigy", {"lr": 1.0, "d0": 1e-2}),
    "dadapt_adam without bias correction": ("dadaptation", "DAdaptAdam", {"lr": 1.0, "d0": 1e-2}),
    "momo with weight decay": ("momo", "Momo", {"lr": 1.0, "beta": 0.9, "weight_decay": 0.1}),
    "momo_adam with weight decay": ("momo", "MomoAdam", {"lr": 1e-2, "weight_decay": 0.1}),
}  # fmt: skip


def by_the_package(name: str):
    """Iterates [50] of {w1, b1, w2} f64, the averaged parameters where there are some, and the
    estimates d [50] that the updates used where there are some."""
    torch = pytest.importorskip("torch")
    module, attribute, arguments = OPTIMIZERS[name]
    package = pytest.importorskip(module)
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        return _train(torch, getattr(package, attribute), name, dict(arguments))
    finally:
        torch.set_default_dtype(before)


def _train(torch, maker, name, arguments):
    problem = PACKAGES["_problem"]
    x, y = torch.tensor(problem["x"]), torch.tensor(problem["y"])
    params = [torch.nn.Parameter(torch.tensor(problem[key])) for key in NAMES]
    w1, b1, w2 = params

    def loss():
        return ((torch.tanh(x @ w1 + b1) @ w2 - y) ** 2).mean()

    if name == "mechanic":
        optimizer = maker(torch.optim.SGD, **arguments)(params, lr=1.0)
    else:
        optimizer = maker(params, **arguments)
    switches = hasattr(optimizer, "eval")
    if switches:
        optimizer.train()
    iterates, used = [], []
    for _ in range(50):
        used.append(optimizer.param_groups[0].get("d"))
        optimizer.zero_grad()
        value = loss()
        value.backward()
        optimizer.step(loss=value.detach()) if name.startswith("momo") else optimizer.step()
        iterates.append([p.detach().numpy().copy() for p in params])
    if not switches:
        return iterates, None, used
    optimizer.eval()
    return iterates, [p.detach().numpy().copy() for p in params], used


def test_every_package_is_run():
    assert set(OPTIMIZERS) == set(PACKAGES["methods"])


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_file_holds_what_the_package_gives(name):
    iterates, evaluation, used = by_the_package(name)
    entry = PACKAGES["methods"][name]
    for mark, expected in zip(MARKS, entry["iterates"], strict=True):
        for found, values in zip(iterates[mark - 1], expected, strict=True):
            np.testing.assert_allclose(found, values, rtol=1e-9, atol=1e-11)
    if "evaluation" in entry:
        for found, values in zip(evaluation, entry["evaluation"], strict=True):
            np.testing.assert_allclose(found, values, rtol=1e-9, atol=1e-11)
    if "d_used" in entry:
        assert [used[mark - 1] for mark in MARKS] == pytest.approx(entry["d_used"], rel=1e-9)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_ours_is_the_package_at_every_step_to_1e_5(name):
    iterates, _, _ = by_the_package(name)
    reference = importlib.import_module("test_optimizers_reference")
    ours = reference.packaged(name)
    for step, expected in enumerate(iterates):
        for key, values in zip(NAMES, expected, strict=True):
            np.testing.assert_allclose(ours[key][step], values, rtol=1e-5, atol=1e-9)
