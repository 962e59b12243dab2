"""A lane's scalars for functions of the user's."""

from __future__ import annotations

import functools

import pytest

from lrlab.core.errors import FieldError
from lrlab.core.hyper import Reads, Recording, any_hyper, takes_hyper, with_hyper


def test_only_a_parameter_of_that_name_counts():
    def keyword(x, *, hyper): ...
    def positional(hyper, /): ...
    def anything(**hyper): ...

    assert takes_hyper(keyword) and not takes_hyper(positional)
    assert not takes_hyper(functools.partial(keyword, hyper={}))
    assert takes_hyper(functools.partial(keyword, 1))
    assert not takes_hyper(max) and not takes_hyper(3)


@pytest.mark.parametrize(
    "read",
    [
        lambda hyper: hyper["kl"],
        lambda hyper: hyper.get("kl"),
        lambda hyper: {**hyper},
        lambda hyper: dict(hyper),
        lambda hyper: hyper | {"x": 1},
        lambda hyper: [value for _, value in hyper.items()],
    ],
)
def test_every_way_to_read_an_entry_is_noted(read):
    reads = Reads(set())
    read(Recording({"kl": 1.0}, reads))
    assert reads.names == {"kl"}


def test_looking_whether_it_is_there_reads_nothing():
    reads = Reads(set())
    scalars = Recording({"kl": 1.0}, reads)
    assert "kl" in scalars and scalars.get("other", 5) == 5 and reads.names == set()


def test_what_is_not_there_is_said_with_what_is():
    with pytest.raises(FieldError, match=r"reads hyper\['kl'\].*did you mean 'kll'.*lr"):
        with_hyper(lambda hyper: hyper["kl"], {"lr": 1, "kll": 2})()
    assert with_hyper(lambda x, hyper: hyper["b"] + x, any_hyper(2))(1) == 3


def test_a_key_error_of_the_user_s_own_stays_what_it_is():
    with pytest.raises(KeyError, match="own"):
        with_hyper(lambda hyper: {}["own"], {"lr": 1})()
