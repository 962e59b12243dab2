"""The example of early stopping runs, and says what it says."""

from __future__ import annotations

import re
from pathlib import Path

import jax
import numpy as np
import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "choose" / "score.md"


@pytest.mark.slow
def test_early_stopping_wants_another_rate() -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (example,) = (block for block in blocks if 'score="best"' in block)
    names: dict = {}
    exec(compile(example, str(PAGE), "exec"), names)
    early, late = names["answer"], names["result"]._replace(score="last").best()
    assert 5e-4 < early.lr < 6e-3 and 5e-5 < late.lr < 5e-4
    assert early.sentence.endswith("Judged by best valid_loss over the run.")
    # The weights are those of that evaluation.
    task, params = names["task"], names["params"]
    inputs, targets = task.data["valid"]
    loss = float(task.functions.evaluate(params, {}, (inputs, targets), jax.random.key(0))["loss"])
    curves = names["result"].history["valid_loss"][..., 0].min(0)
    assert np.abs(curves - loss).min() < 1e-5
    assert names["state"].made == 0
