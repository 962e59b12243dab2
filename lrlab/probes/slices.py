"""The loss on a plane through the space of parameters, with a trajectory drawn on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

from lrlab.rng import key as named_key
from lrlab.types import Array, Params, PyTree


class Plane(NamedTuple):
    """The points center + a u + b v. `center`, `u` and `v` are pytrees like the parameters, u and v
    at right angles (but for random planes). `coordinates` f[T, 2] of the trajectory's points on it,
    `explained` the share of the trajectory's squared way that lies in it (None: no trajectory).
    """

    center: Params
    u: Params
    v: Params
    coordinates: Array | None = None
    explained: Array | None = None


def trajectory_plane(trajectory: Params) -> Plane:
    """The plane that holds most of a trajectory, through its end.

    `trajectory` is a pytree like the parameters with a leading axis [T] of at least 2 points. u and
    v are the first two principal directions of the points' ways to the last one, of length 1 (v is
    0 where the trajectory is a line).

    Source: Li et al. 2018 (arXiv 1712.09913), section 7.

    Raises:
        ValueError: fewer than 2 points.

    >>> way = {"x": jnp.array([[4.0, 1.0], [1.0, 1.0], [0.0, 0.0]])}
    >>> plane = trajectory_plane(way)
    >>> float(plane.explained), plane.coordinates.shape
    (1.0, (3, 2))
    """
    points = jax.vmap(lambda tree: ravel_pytree(tree)[0])(trajectory)
    if len(points) < 2:
        raise ValueError(f"a trajectory needs at least 2 points, got {len(points)}")
    unravel = ravel_pytree(jax.tree.map(lambda leaf: leaf[-1], trajectory))[1]
    ways = points - points[-1]
    # The few points span the plane: the T x T products give it without a P x P matrix.
    sizes, mixes = jnp.linalg.eigh(ways @ ways.T)
    sizes, mixes = jnp.maximum(sizes[::-1], 0), mixes[:, ::-1]
    tiny = len(points) * jnp.finfo(points.dtype).eps * sizes[0]
    directions = []
    for place in range(2):
        there = sizes[place] > tiny
        scale = jnp.where(there, 1 / jnp.sqrt(jnp.where(there, sizes[place], 1)), 0)
        directions.append(scale * (mixes[:, place] @ ways))
    total = jnp.sum(ways**2)
    inside = jnp.stack([ways @ direction for direction in directions], 1)
    explained = jnp.where(total > 0, jnp.sum(inside**2) / jnp.where(total > 0, total, 1), 1.0)
    u, v = map(unravel, directions)
    return Plane(unravel(points[-1]), u, v, inside, jnp.minimum(explained, 1.0))


def random_plane(params: Params, key: Array | None = None) -> Plane:
    """A plane of two random directions through `params`, each tensor's as long as the tensor.

    Filter normalization on the level of tensors, so that planes of networks whose weights differ in
    scale can be compared.

    Source: Li et al. 2018 (arXiv 1712.09913), section 4.

    >>> plane = random_plane({"x": jnp.array([3.0, 4.0])})
    >>> round(float(jnp.linalg.norm(plane.u["x"])), 5)
    5.0
    """
    base = named_key(0, "plane") if key is None else key

    def direction(number: int) -> Params:
        leaves, structure = jax.tree.flatten(params)
        drawn = []
        for place, leaf in enumerate(leaves):
            random = jax.random.fold_in(jax.random.fold_in(base, number), place)
            noise = jax.random.normal(random, leaf.shape, leaf.dtype)
            drawn.append(noise * jnp.linalg.norm(leaf) / jnp.linalg.norm(noise))
        return jax.tree.unflatten(structure, drawn)

    return Plane(params, direction(0), direction(1))


def loss_slice(
    loss: Callable[..., Array],
    plane: Plane,
    along_u: Sequence[float] | Array,
    along_v: Sequence[float] | Array,
    *args: PyTree,
) -> Array:
    """`loss(params, *args)` at center + a u + b v for a in `along_u` f[A], b in `along_v` f[B];
    f[B, A], one point after another (memory of one).

    Cost: A x B loss evaluations.

    >>> plane = Plane(jnp.zeros(2), jnp.array([1.0, 0.0]), jnp.array([0.0, 1.0]))
    >>> loss_slice(lambda x: jnp.sum(x**2), plane, [0.0, 1.0], [0.0, 2.0]).tolist()
    [[0.0, 1.0], [4.0, 5.0]]
    """
    a, b = jnp.meshgrid(jnp.asarray(along_u, float), jnp.asarray(along_v, float))

    def at(pair: tuple[Array, Array]) -> Array:
        place = jax.tree.map(
            lambda c, u, v: (c + pair[0] * u + pair[1] * v).astype(c.dtype),
            plane.center, plane.u, plane.v,
        )  # fmt: skip
        return loss(place, *args)

    return jax.lax.map(at, (a.ravel(), b.ravel())).reshape(a.shape)
