"""The coordinate check: do all layers move by the same amount at every width?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from lrlab import optimizers
from lrlab.core.brief import fields_of
from lrlab.core.text import JsonObject
from lrlab.engine.devices import prepare_devices
from lrlab.models import as_model
from lrlab.optimizers.groups import paths
from lrlab.rng import key
from lrlab.scaling.capture import layer_outputs
from lrlab.scaling.parametrization import Mup, mup, output_layers
from lrlab.scaling.rules import Residual
from lrlab.tasks.functions import joined, separated
from lrlab.tasks.supervised import loss_function
from lrlab.types import Array, PyTree

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TOLERANCE = 0.1
"""The largest slope that passes: log of the change against log of the width."""


class CoordinateCheck(NamedTuple):
    """How far each layer's outputs move in the first steps, against width.

    `change` f64[steps, layers, widths]: root mean square over examples and units of the output
    after 1 ... `steps` updates minus that at initialization, mean over seeds. `start` f64[layers,
    widths]: the output's own size at initialization. `slopes`: layer -> slope of log `change` after
    the last step against log width; `passed`: all within `tolerance` of zero.
    """

    widths: tuple[int, ...]
    layers: tuple[str, ...]
    change: np.ndarray
    start: np.ndarray
    slopes: dict[str, float]
    parametrization: str
    tolerance: float = TOLERANCE

    def __repr__(self) -> str:
        return fields_of(self)

    @property
    def passed(self) -> bool:
        """Whether every layer's change is the same at every width, up to the tolerance."""
        return all(abs(slope) <= self.tolerance for slope in self.slopes.values())

    @property
    def sentence(self) -> str:
        """The verdict, with the worst layer."""
        worst = max(self.slopes, key=lambda layer: abs(self.slopes[layer]))
        low, high = min(self.widths), max(self.widths)
        word = "passes" if self.passed else "FAILS"
        return (
            f"The coordinate check of the {self.parametrization} parametrization {word}: from "
            f"width {low} to {high} the change of {worst} goes as width^{self.slopes[worst]:+.3f} "
            f"(the farthest from 0 of {len(self.layers)} layers; {self.tolerance:g} is allowed)."
        )

    def plot(self) -> Figure:
        """The change of each layer against width, one panel a step, as a Matplotlib figure."""
        from lrlab.report.figures.coordinates import coordinates

        return coordinates([self])

    def __str__(self) -> str:
        return self.sentence


def coordinate_check(
    model: Callable[[int], object],
    inputs: PyTree,
    targets: Array,
    *,
    widths: Sequence[int] = (64, 128, 256, 512, 1024),
    base: int | None = None,
    parametrization: str = "mup",
    optimizer: str = "adam",
    lr: float = 1e-3,
    steps: int = 4,
    seeds: int = 8,
    loss: str | Callable[[Array, Array], Array] = "softmax_cross_entropy",
    readout: str = "multiplier",
    residual: Residual | None = None,
    zero_readout: bool = True,
    kinds: Mapping[str, str] | None = None,
    tolerance: float = TOLERANCE,
    **optimizer_args: Any,
) -> CoordinateCheck:
    """Trains each width for a few full-batch steps and measures how far each layer's outputs moved.

    In a parametrization in which every layer learns features, the change is Theta(1) in width: its
    slope in logarithms is 0. In the standard parametrization with Adam it grows with width.

    Args:
        model: width -> Linen module, or -> function `rngs -> NNX module`.
        inputs, targets: one batch; 32 examples are plenty.
        base: the base width; None for the smallest.
        parametrization: "mup" or "standard".
        optimizer, optimizer_args: a registered optimizer of the SGD or Adam family.
        lr: small enough to be stable in the standard parametrization too.
        loss: as in `Task.supervised`. readout, residual, kinds: as in `mup`.
        zero_readout: start output layers at zero, as the paper advises (its appendix D.2): their
            random start adds a part of order width^-1/2, which bends the lines at small widths.

    Source: Yang et al. 2022 (arXiv 2203.03466), appendix D.1.

    >>> import flax.linen as nn
    >>> net = lambda width: nn.Sequential([nn.Dense(width), nn.relu, nn.Dense(2)])
    >>> x, y = np.random.default_rng(0).normal(size=(16, 8)), np.arange(16) % 2
    >>> coordinate_check(net, x, y, widths=(32, 64, 128), steps=2, seeds=2).passed
    True
    """
    if parametrization not in ("mup", "standard"):
        raise ValueError(f'parametrization must be "mup" or "standard", got {parametrization!r}')
    if len(set(widths)) < 2:
        raise ValueError(f"widths must hold at least two different ones, got {list(widths)}")
    prepare_devices()
    x = jax.tree.map(lambda a: jnp.asarray(a, _float(a)), inputs)
    y = jnp.asarray(targets)
    value = loss_function(loss)
    smallest = min(widths) if base is None else base
    rows, starts, layers = [], [], ()
    zeros = frozenset[str]()
    if zero_readout:
        zeros = output_layers(model(max(widths)), model(min(widths)), x, kinds)
    for width in widths:
        network = model(width)
        scaled = None
        if parametrization == "mup":
            scaled = mup(network, model(smallest), x, optimizer=optimizer, readout=readout,
                       residual=residual, kinds=kinds)  # fmt: skip
        start, change = _changes(
            network, scaled, x, y, value, optimizer, optimizer_args, lr, steps, seeds, zeros
        )
        if layers and layers != tuple(start):
            raise ValueError(f"width {width} has other layers than width {widths[0]}")
        layers = tuple(start)
        starts.append([start[layer] for layer in layers])
        rows.append([[row[layer] for layer in layers] for row in change])
    sizes = np.asarray(rows, np.float64).transpose(1, 2, 0)
    logs = np.log(np.asarray(widths, np.float64))
    slopes = {}
    for layer, values in zip(layers, sizes[-1], strict=True):
        if np.all(values > 0) and np.isfinite(values).all():
            slopes[layer] = float(np.polyfit(logs, np.log(values), 1)[0])
        else:
            slopes[layer] = float("inf") if np.any(values > 0) else 0.0
    return CoordinateCheck(
        tuple(widths), layers, sizes, np.asarray(starts, np.float64).T, slopes, parametrization,
        tolerance,
    )  # fmt: skip


def _float(array: Array) -> np.dtype:
    dtype = np.asarray(array).dtype
    return np.dtype(np.float32) if dtype.kind == "f" else jax.dtypes.canonicalize_dtype(dtype)


def _changes(
    network: object, scaled: Mup | None, x: PyTree, y: Array,
    value: Callable[[Array, Array], Array], optimizer: str,
    arguments: JsonObject, lr: float, steps: int, seeds: int, zeros: frozenset[str],
) -> tuple[dict[str, float], list[dict[str, float]]]:  # fmt: skip
    """(size of each layer's outputs at the start, size of their change after each step)."""
    network_model = as_model(network) if scaled is None else scaled.model
    if scaled is None:
        transformation = optimizers.make(optimizer, lr, **arguments)
    else:
        transformation = scaled.optimizer(optimizer, **arguments).make({"lr": lr})
    transformation = optax.with_extra_args_support(transformation)

    def seen(variables: PyTree) -> dict[str, Array]:
        effective = variables if scaled is None else scaled.effective(variables)
        return layer_outputs(network, effective, x)

    def one(seed: Array) -> tuple[dict[str, Array], dict[str, Array]]:
        example = jax.tree.map(lambda a: a[:1], x)
        params, state = separated(network_model.init(key(seed, "init"), example))
        params = jax.tree.unflatten(
            jax.tree.structure(params),
            [
                jnp.zeros_like(leaf) if path in zeros else leaf
                for path, leaf in zip(paths(params), jax.tree.leaves(params), strict=True)
            ],
        )
        opt = transformation.init(params)
        first = seen(joined(params, state))

        def loss_of(p: PyTree) -> Array:
            outputs, _ = network_model.apply(joined(p, state), x, True, key(seed, "dropout"))
            return jnp.mean(value(outputs, y))

        def step(
            carry: tuple[PyTree, PyTree], _: None
        ) -> tuple[tuple[PyTree, PyTree], dict[str, Array]]:
            params, opt = carry
            current, grads = jax.value_and_grad(loss_of)(params)
            updates, opt = transformation.update(
                grads, opt, params, value=current, grad=grads, value_fn=loss_of
            )
            params = optax.apply_updates(params, updates)
            now = seen(joined(params, state))
            return (params, opt), {name: _size(now[name] - first[name]) for name in first}

        _, changes = jax.lax.scan(step, (params, opt), None, length=steps)
        return {name: _size(leaf) for name, leaf in first.items()}, changes

    # One seed after another: lanes side by side would need their weights in memory at once.
    start, change = jax.jit(lambda s: jax.lax.map(one, s))(jnp.arange(seeds))
    sizes = {name: np.asarray(leaf, np.float64).mean(0) for name, leaf in change.items()}
    rows = [{name: float(values[t]) for name, values in sizes.items()} for t in range(steps)]
    return {name: float(np.mean(leaf)) for name, leaf in start.items()}, rows


def _size(values: Array) -> Array:
    return jnp.sqrt(jnp.mean(jnp.square(values)))
