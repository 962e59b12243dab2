"""Names that probes must not have: those of what training itself records."""

from __future__ import annotations

import pytest
import tiny

from lrlab.engine.probing import check_probes
from lrlab.types import Probe


@pytest.mark.parametrize("name", ["lr", "train_norm", "learning_rate", "effective_lr"])
def test_a_probe_named_like_a_training_metric_is_refused(name):
    problem = tiny.problem(probes=(Probe("mine", lambda lane: {name: lane.hyper["lr"]}),))
    with pytest.raises(ValueError, match=f"probe 'mine': '{name}' must"):
        check_probes(problem, tiny.data(), ("lr",))


def test_other_names_are_taken():
    problem = tiny.problem(probes=(Probe("mine", lambda lane: {"rate": lane.hyper["lr"]}),))
    check_probes(problem, tiny.data(), ("lr",))
