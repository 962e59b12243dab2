"""The table of all optimizers: what it says is what Optax, our own functions and theory have."""

from __future__ import annotations

import doctest
import inspect
import itertools
import re
import subprocess
import sys
import typing
import warnings

import jax
import optax
import pytest
from convex import NAMES, PARAMS

from lrlab import optimizers
from lrlab.core import registry
from lrlab.optimizers.dynamics import PRECONDITIONERS
from lrlab.optimizers.method import Family
from lrlab.optimizers.toy import first_update
from lrlab.theory import stability

OF_OPTAX = [name for name, one in optimizers.METHODS.items() if one.make.startswith("optax")]
OWN = [name for name in optimizers.METHODS if name not in OF_OPTAX]

NOT_ON_ARXIV = {
    "sgd", "momentum", "nadam", "yogi", "adagrad", "rprop", "lbfgs", "reduce_on_plateau", "armijo",
    "zoom_line_search", "exact_line_search",
}  # fmt: skip
"""Older than arXiv, or published elsewhere alone; their texts name the journal."""

OTHERWISE = {
    ("momentum", "momentum"): "0.9, as everywhere here; Optax's is none",
    ("nesterov", "momentum"): "0.9, as everywhere here; Optax's is none",
    ("dog", "init_step"): "the authors' 1e-6; Optax asks for it",
    ("noisy_sgd", "seed"): "a whole number; Optax asks for a key",
}
"""Defaults that are not Optax's, on purpose."""

OTHER_FUNCTIONS = {"lookahead", "sam", "reduce_on_plateau", "dpsgd"}
"""Names under which Optax has a function of another kind."""


def keywords(function) -> dict[str, object]:
    """Keyword -> default of a function."""
    return {name: one.default for name, one in inspect.signature(function).parameters.items()}


def of_optax(name: str):
    """Optax's function for a method, None where there is none of its name."""
    if name in OF_OPTAX:
        return registry.load(optimizers.REGISTRY, name)
    return getattr(optax.contrib, name, None) or getattr(optax, name, None)


def test_defaults_are_optax() -> None:
    other = set()
    for name in sorted(set(NAMES) - OTHER_FUNCTIONS):
        theirs = of_optax(name)
        defaults = {} if theirs is None else keywords(theirs)
        for key in optimizers.own_hyperparameters(name):
            if name in OF_OPTAX:
                assert key in defaults, (name, key)
            if key in defaults and defaults[key] != optimizers.hyperparameters(name)[key]:
                other.add((name, key))
    assert other == set(OTHERWISE)


@pytest.mark.parametrize("name", OF_OPTAX)
def test_optax_takes_what_is_fixed(name) -> None:
    one = optimizers.method(name)
    assert set(one.fixed) <= set(keywords(of_optax(name))) - set(one.parameters)
    assert not set(one.parameters) & set(optimizers.OPTIONS) - {"weight_decay"}


@pytest.mark.parametrize("name", OWN)
def test_what_is_read_from_the_source_is_what_the_function_takes(name) -> None:
    function = registry.load(optimizers.REGISTRY, name)
    taken = keywords(function)
    lr = taken.pop("lr")
    assert optimizers.default_lr(name) == (None if lr is inspect.Parameter.empty else lr)
    defaults = optimizers.hyperparameters(name)
    assert taken == {key: defaults[key] for key in optimizers.own_hyperparameters(name)}
    kinds = [one.kind for one in inspect.signature(function).parameters.values()]
    assert all(kind is inspect.Parameter.KEYWORD_ONLY for kind in kinds[1:])


@pytest.mark.parametrize("name", OF_OPTAX)
def test_first_update(name) -> None:
    """The figures of the table, and the same as a reader copies them from the text."""
    example = optimizers.method(name).example
    optimizer = optimizers.make(name, example.lr, **example.options)
    assert first_update(optimizer) == list(example.update)
    text = optimizers.describe(name)
    parsed = doctest.DocTestParser().get_doctest(text, {}, name, None, None)
    assert doctest.DocTestRunner(verbose=False).run(parsed) == (0, 3)


@pytest.mark.parametrize("name", OWN)
def test_ours_have_an_example_that_is_run(name) -> None:
    assert optimizers.method(name).example is None
    assert f"first_update({name}(" in optimizers.describe(name)


@pytest.mark.parametrize("name", NAMES)
def test_text_and_hyperparameters(name) -> None:
    text = optimizers.describe(name)
    assert re.search(r"[-+*/^]|<-", text) and ">>>" in text
    said = " ".join(text.partition(">>>")[0].split())
    assert re.search(r"\b(18|19|20)\d\d\b", said), "no year"
    assert re.search(r"arXiv \d{4}\.\d{4,5}", said) or name in NOT_ON_ARXIV, "no arXiv number"
    assert re.search(r"\b[uU]nits?\b|step size|as for `base`|distance", said), "no unit"
    own = set(optimizers.own_hyperparameters(name))
    assert set(optimizers.hyperparameters(name)) == own | set(optimizers.OPTIONS)


def test_every_optimizer_of_optax_is_there_under_its_own_name() -> None:
    """The newest release that the constraints hold: optax 0.2.8."""
    there = {"sam", "lookahead", "reduce_on_plateau", "mechanize", "schedule_free"}
    for module in (optax, optax.contrib):
        for name in (name for name in dir(module) if not name.startswith(("_", "scale_by_"))):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                function = getattr(module, name)
            taken = keywords(function) if inspect.isfunction(function) else {}
            if next(iter(taken), "") in ("learning_rate", "max_learning_rate"):
                there.add(name)
    assert len(there) > 45
    for name in sorted(there):
        optimizer = optax.with_extra_args_support(optimizers.make(name, 0.1))
        assert optimizers.engine_optimizer(name).make({"lr": 0.1}).init is not None
        jax.eval_shape(optimizer.init, PARAMS)


def test_dynamics_are_those_of_theory_and_of_the_probes() -> None:
    assert typing.get_args(Family) == stability.FAMILIES
    every = [(name, one.dynamics) for name, one in optimizers.METHODS.items() if one.dynamics]
    used = {one.preconditioner for _, one in every} - {None}
    assert used == set(PRECONDITIONERS)
    for name, one in every:
        assert one.momentum is None or one.momentum in optimizers.own_hyperparameters(name)


def test_names_of_a_kind_and_other_names() -> None:
    kinds = [optimizers.names(kind) for kind in ("optimizer", "learning-rate-free", "controller")]
    assert sorted(itertools.chain(*kinds)) == sorted(optimizers.names()) and all(kinds)
    for alias, (name, _) in optimizers.REGISTRY.aliases.items():
        assert alias not in optimizers.METHODS and optimizers.method(alias) is optimizers.method(
            name
        )
    for name, one in optimizers.METHODS.items():
        if one.kind == "learning-rate-free":
            assert optimizers.default_lr(name) is not None, name


def test_listing_imports_no_jax() -> None:
    code = (
        "import sys; from lrlab import optimizers as o; "
        "[(o.describe(n), o.hyperparameters(n), o.default_lr(n)) for n in o.names()]; "
        "assert not {'jax', 'optax'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
