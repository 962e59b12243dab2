"""muP for any model: shapes at two widths and the program say what each parameter is."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from lrlab import optimizers
from lrlab.core.text import Table
from lrlab.engine.devices import prepare_devices
from lrlab.models import as_model
from lrlab.optimizers.groups import matches, paths
from lrlab.optimizers.options import Around
from lrlab.optimizers.transforms import with_extra_args
from lrlab.scaling.places import Inputs, agreed, counterpart, places
from lrlab.scaling.rules import Family, Residual, factors, family_of
from lrlab.scaling.sizes import growth, mean_squares
from lrlab.tasks.functions import joined, separated
from lrlab.types import Array, Hyper, Model, Optimizer, Params, PyTree, Scalar

MakeOptimizer = Callable[[Hyper], optax.GradientTransformation]


class Tensor(NamedTuple):
    """What muP does to one parameter tensor; all factors are 1 at the base.

    `kind`, `fan_in`, `fan_out`: see `rules.Place`. `init` multiplies what the model's own
    initializer draws, `multiplier` the tensor in the forward pass, `lr` its learning rate.
    """

    path: str
    shape: tuple[int, ...]
    base_shape: tuple[int, ...]
    kind: str
    fan_in: float
    fan_out: float
    init: float
    multiplier: float
    lr: float


class Mup(NamedTuple):
    """A model in muP: `model` to train in place of the given one, and a row for each tensor, in the
    order of the parameters' leaves. `depth` is the growth of the number of residual branches."""

    model: Model
    tensors: tuple[Tensor, ...]
    family: Family
    depth: float = 1.0

    def optimizer(self, optimizer: str | Optimizer | MakeOptimizer, **arguments: Any) -> Optimizer:
        """An optimizer with muP's learning rate for each tensor, for `lrlab.sweep` and `find`.

        Args:
            optimizer: a registered name of this family, or a function `hyper -> optax
                transformation` whose updates are proportional to `hyper["lr"]`.
            arguments: the registered optimizer's hyper-parameters and options. Decoupled weight
                decay keeps lr * weight_decay the same for all tensors, as in the authors' package.

        Raises:
            ValueError: an optimizer of another family.
        """
        rates = tuple(tensor.lr for tensor in self.tensors)
        if not isinstance(optimizer, str):
            make = optimizer.make if isinstance(optimizer, Optimizer) else optimizer
            return _wrapped(make, rates)
        if family_of(optimizer) != self.family:
            raise ValueError(
                f"this muP is for optimizers of the {self.family} family, {optimizer!r} is not "
                f"one; make another: mup(..., optimizer={optimizer!r})"
            )
        return optimizers.engine_optimizer(optimizer, around=_scaling(rates), **arguments)

    def effective(self, variables: PyTree) -> PyTree:
        """The variables with which the given model itself computes what `model` computes."""
        params, state = separated(variables)
        return joined(_times(params, tuple(t.multiplier for t in self.tensors)), state)

    def scale(self, transformation: optax.GradientTransformation) -> optax.GradientTransformation:
        """An Optax transformation with muP's learning rate for each tensor, for one's own loop."""
        return _scaling(tuple(tensor.lr for tensor in self.tensors))(transformation, 0.0, {})

    def __str__(self) -> str:
        rows = [("tensor", "shape", "base", "kind", "init", "multiplier", "lr")]
        for t in self.tensors:
            a, b, c = (f"{value:.4g}" for value in (t.init, t.multiplier, t.lr))
            rows.append((t.path, str(t.shape), str(t.base_shape), t.kind, a, b, c))
        wide = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        lines = ("  ".join(c.ljust(w) for c, w in zip(row, wide, strict=True)) for row in rows)
        return "\n".join(line.rstrip() for line in lines)


def mup(
    model: object,
    base: object,
    inputs: PyTree,
    *,
    optimizer: str = "adam",
    readout: str = "multiplier",
    residual: Residual | None = None,
    kinds: Mapping[str, str] | None = None,
) -> Mup:
    """The model in the maximal update parametrization, equal to itself at the base.

    Every axis in which a parameter's shape differs between the two models grows with width; whether
    it counts inputs or outputs is read from the program of the model (`flow.uses`), and from that
    follow the tensor's factors (`rules.factors`). The model's own initializers stay: how their size
    goes with width is found by drawing from them.
    Where the models' `residual` branches differ in number, each branch is multiplied by
    depth^-1/2, and with Adam so is the learning rate inside (Yang et al. 2023, arXiv 2310.02244,
    table 1); depth is the ratio of the numbers of branches. Attention inside a model is its own:
    where the head size grows with width, logits must be divided by it (lrlab's transformer:
    `head_base`).

    Args:
        model: a Linen module, a function `rngs -> NNX module`, or a `Model`, at the width wanted.
        base: the same at the base width, at which muP and the standard parametrization are equal.
        inputs: a batch of inputs [N, ...] (an array or a pytree), or its shapes.
        optimizer: whose learning rates: a registered optimizer, or a family, "adam" or "sgd".
        readout: "multiplier" (table 8 of the paper) or "init" (table 3): the same training.
        residual: where branches are, for depth; see `Residual` and `RESIDUAL`.
        kinds: pattern of paths (`optimizers.groups.matches`) -> "input", "hidden", "output" or
            "fixed", in place of what the program says. For a tied embedding "input", where the
            model itself divides its logits by the growth of the width.

    Returns:
        A `Mup`; print it for the table. The same arguments give the same functions.

    Raises:
        ValueError: an optimizer without a rule; parameters that have no counterpart in the base,
            that are used in two ways which need different factors (tied embeddings), or of which
            the program does not say what they are.

    Source: Yang et al. 2022 (arXiv 2203.03466), tables 3 and 8.

    >>> import flax.linen as nn
    >>> net = lambda width: nn.Sequential([nn.Dense(width), nn.relu, nn.Dense(2)])
    >>> print(mup(net(256), net(64), np.zeros((1, 3), np.float32)))
    tensor           shape     base     kind    init  multiplier  lr
    layers_0/bias    (256,)    (64,)    input   1     1           1
    layers_0/kernel  (3, 256)  (3, 64)  input   1     1           1
    layers_2/bias    (2,)      (2,)     fixed   1     1           1
    layers_2/kernel  (256, 2)  (64, 2)  output  2     0.25        1
    """
    if readout not in ("multiplier", "init"):
        raise ValueError(f'readout must be "multiplier" or "init", got {readout!r}')
    prepare_devices()
    return _mup(
        as_model(model),
        as_model(base),
        _described(inputs),
        family_of(optimizer),
        readout,
        residual,
        tuple((kinds or {}).items()),
    )


def output_layers(
    model: object, base: object, inputs: PyTree, kinds: Mapping[str, str] | None = None
) -> frozenset[str]:
    """The paths of the parameters that are output layers and nothing else."""
    described = _described(inputs)
    by_path = places(
        as_model(model),
        described,
        _drawn(as_model(base), described)[0],
        tuple((kinds or {}).items()),
    )
    return frozenset(
        path
        for path, own in by_path.items()
        if own and all(p is not None and p.kind == "output" for p in own)
    )


def _described(inputs: PyTree) -> Inputs:
    """The shapes of a batch of one, as a key for caches."""
    one = jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct((1, *leaf.shape[1:]), _dtype(leaf.dtype)), inputs
    )
    leaves, structure = jax.tree.flatten(one)
    return tuple((leaf.shape, np.dtype(leaf.dtype).str) for leaf in leaves), structure


def _dtype(dtype: np.dtype) -> np.dtype:
    """As the engine in float32 has it."""
    short = {"float64": "float32", "int64": "int32", "uint64": "int32"}
    return np.dtype(short.get(np.dtype(dtype).name, dtype))


@functools.lru_cache(maxsize=128)
def _mup(
    model: Model, base: Model, inputs: Inputs, family: Family, readout: str,
    residual: Residual | None, kinds: tuple[tuple[str, str], ...],
) -> Mup:  # fmt: skip
    shapes, squares = _drawn(model, inputs)
    base_shapes, base_squares = _drawn(base, inputs)
    of_base = dict(zip(base_shapes, base_squares, strict=True))
    depth, inside, ends = _branches(residual, list(shapes), list(base_shapes))
    by_path = places(model, inputs, base_shapes, kinds)
    tensors = []
    for (path, shape), square in zip(shapes.items(), squares, strict=True):
        twin = counterpart(path, shape, base_shapes)
        place = agreed(path, shape, by_path[path])
        size, multiplier, lr = factors(place, family, readout)
        if shape != base_shapes[twin]:
            size /= growth(shape, base_shapes[twin], square, of_base[twin], place[1:])
        if path in ends:
            multiplier *= depth**-0.5
        if path in inside and family == "adam":
            lr *= depth**-0.5
        tensors.append(Tensor(path, shape, base_shapes[twin], *place, size, multiplier, lr))
    sizes = tuple(tensor.init for tensor in tensors)
    multipliers = tuple(tensor.multiplier for tensor in tensors)
    return Mup(_model(model, sizes, multipliers), tuple(tensors), family, depth)


@functools.lru_cache(maxsize=128)
def _drawn(model: Model, inputs: Inputs) -> tuple[dict[str, tuple[int, ...]], list[float]]:
    """(path -> shape, mean square of what the initializers draw) of every parameter."""
    described, structure = inputs
    x = jax.tree.unflatten(structure, [jnp.zeros(shape, dtype) for shape, dtype in described])

    def params_of(key: Array) -> Params:
        return separated(model.init(key, x))[0]

    shapes = jax.eval_shape(params_of, jax.random.key(0))
    leaves = [leaf.shape for leaf in jax.tree.leaves(shapes)]
    return dict(zip(paths(shapes), leaves, strict=True)), mean_squares(params_of)


def _branches(
    residual: Residual | None, paths: list[str], base: list[str]
) -> tuple[float, set[str], set[str]]:
    """(growth of the number of branches, paths inside branches, paths at their ends)."""
    if residual is None:
        return 1.0, set(), set()
    ends, base_ends = matches(residual.ends, paths), matches(residual.ends, base)
    for matched, which in ((ends, "the model"), (base_ends, "the base model")):
        if not matched:
            raise ValueError(
                f"no parameter of {which} matches the end of a residual branch "
                f"({residual.ends!r}); depth scaling needs residual branches"
            )
    return len(ends) / len(base_ends), matches(residual.blocks, paths), ends


def _times(tree: PyTree, numbers: tuple[float, ...]) -> PyTree:
    """Leaf by leaf; leaves times 1 are left as they are, to the bit."""
    leaves, structure = jax.tree.flatten(tree)
    scaled = [
        a if c == 1 else (a * c).astype(a.dtype) for a, c in zip(leaves, numbers, strict=True)
    ]
    return jax.tree.unflatten(structure, scaled)


@functools.lru_cache(maxsize=128)
def _model(model: Model, sizes: tuple[float, ...], multipliers: tuple[float, ...]) -> Model:
    def init(key: Array, x: Array) -> PyTree:
        params, state = separated(model.init(key, x))
        return joined(_times(params, sizes), state)

    def apply(variables: PyTree, x: Array, train: bool, key: Array) -> tuple[Array, PyTree]:
        params, state = separated(variables)
        outputs, changed = model.apply(joined(_times(params, multipliers), state), x, train, key)
        return outputs, joined(params, separated(changed)[1])

    return Model(init, apply)


@functools.lru_cache(maxsize=128)
def _scaling(rates: tuple[float, ...]) -> Around:
    """The function that puts learning rate factors around a transformation."""

    def around(
        transformation: optax.GradientTransformation, lr: Scalar, own: Table
    ) -> optax.GradientTransformation:
        inner = optax.with_extra_args_support(transformation)
        decay = own.get("weight_decay", 0.0)
        decays = (not isinstance(decay, (int, float)) or decay != 0) and any(r != 1 for r in rates)

        def update(
            grads: Params, state: PyTree, params: Params | None = None, **extra: object
        ) -> tuple[Params, PyTree]:
            updates, new = inner.update(grads, state, params, **extra)
            updates = _times(updates, rates)
            if decays:  # an optimizer's own decay keeps the full rate: give back what was taken
                lost = _times(params, tuple(1 - rate for rate in rates))
                updates = jax.tree.map(
                    lambda u, w: (u - lr * decay * w).astype(u.dtype), updates, lost
                )
            return updates, new

        return with_extra_args(inner.init, update)

    return around


@functools.lru_cache(maxsize=64)
def _wrapped(make: MakeOptimizer, rates: tuple[float, ...]) -> Optimizer:
    def scaled(hyper: Hyper) -> optax.GradientTransformation:
        return _scaling(rates)(make(hyper), hyper["lr"], {})

    return Optimizer(scaled, optimizers.evaluation_params)
