"""A source by number one of whose examples cannot be read."""

from __future__ import annotations

import flax.linen as nn
import numpy as np
import pytest

import lrlab


class Source:
    def __len__(self) -> int:
        return 40

    def __getitem__(self, number):
        if int(number) == 33:
            raise IndexError("corrupt record 33")
        return np.full(3, number, np.float32), np.float32(number)


def test_an_example_that_cannot_be_read_is_named():
    with pytest.raises(ValueError, match=r"valid: reading example 33 raised IndexError: corrupt"):
        lrlab.Task.supervised(
            name="s", model=nn.Dense(1), loss=lambda o, t: (o[:, 0] - t) ** 2,
            train=(np.ones((9, 3), np.float32), np.arange(9.0)), valid=lrlab.data.stream(Source()),
        )  # fmt: skip
