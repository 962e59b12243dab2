"""One `Model` for one network, for as long as somebody holds that model."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Hashable
from typing import NamedTuple

from lrlab.types import Model, PyTree


class _Same(NamedTuple):
    """A network that cannot be hashed, compared by identity."""

    network: object

    def __hash__(self) -> int:
        return id(self.network)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.network is self.network


_made: weakref.WeakValueDictionary[object, Callable[..., PyTree]] = weakref.WeakValueDictionary()
"""Network -> the `init` of its model, for as long as anyone holds that: nothing is kept here."""


def cached(adapt: Callable[..., Model], network: object, *options: Hashable) -> Model:
    """`adapt(network, *options)`: by equality where the network can be hashed, else by identity."""
    try:
        hash(network)
    except TypeError:
        key: object = _Same(network)
    else:
        key = network
    key = (key, options) if options else key
    init = _made.get(key)
    if init is None:
        model = adapt(network, *options)
        _made[key] = init = model.init
        init.__dict__["model"] = model
    return init.__dict__["model"]
