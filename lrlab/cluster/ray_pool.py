"""The pool of a Ray cluster: pieces are its tasks, states lie in its object store.

Ray decides where a piece runs: near the states that it begins from, where a worker is free there.
It begins pieces of killed workers and lost nodes again, and makes states that were lost with a node
again from the pieces that gave them.
"""

from __future__ import annotations

import contextlib
import functools
import pickle
import time
import uuid
from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import Any, NamedTuple

from lrlab.cluster import liveness
from lrlab.cluster.connecting import connected, of_tasks
from lrlab.cluster.packing import Packed, packed
from lrlab.cluster.pieces import Held, Piece, Setting, Trained
from lrlab.cluster.pool import USUAL, Done, OpenPool, Pool, Ref, Ticket
from lrlab.cluster.worker import PRECISION, Shipment, environment, work
from lrlab.core.errors import FieldError
from lrlab.core.remote import Ray
from lrlab.core.text import counted
from lrlab.engine.devices import setting as jax_setting

DEVICES = "JAX_NUM_CPU_DEVICES"
"""JAX's variable for the number of a process's devices on CPU."""

LOOK = 2.0
"""Seconds between two looks at which nodes there are: soon enough for nodes that join, and one call
to Ray in hundreds of pieces."""

FETCH = 30.0
"""Seconds that states may take on their way before it is looked whether the cluster is there."""


class Node(NamedTuple):
    """What a node of the cluster has; `store`: bytes of its object store."""

    cpus: int
    gpus: int
    store: int = 0


class Shape(NamedTuple):
    """What a worker takes: so many cores, and GPUs."""

    cpus: int
    gpus: int

    def fit(self, nodes: Sequence[Node]) -> int:
        """How many workers there is room for.

        >>> Shape(2, 0).fit([Node(4, 0), Node(3, 0)]), Shape(1, 2).fit([Node(8, 4)])
        (3, 2)
        """
        rooms = (
            min(node.cpus // self.cpus, node.gpus // self.gpus if self.gpus else node.cpus)
            for node in nodes
        )
        return sum(rooms)


def shape_of(on: Ray, nodes: Sequence[Node]) -> Shape:
    """What a worker takes: a node's cores (of the smallest), or its share where `workers` says how
    many there are to be; with GPUs one core each.

    Raises:
        FieldError: no node has as much.

    >>> shape_of(Ray(), [Node(8, 0), Node(6, 0)]), shape_of(Ray(workers=4), [Node(8, 0)])
    (Shape(cpus=6, gpus=0), Shape(cpus=2, gpus=0))
    """
    gpus, cpus = on.gpus_per_worker, on.cpus_per_worker
    some = [node for node in nodes if node.cpus and node.gpus >= gpus]
    if not any(node.cpus for node in nodes):
        raise FieldError("on", "no node of the Ray cluster is alive and has a core")
    if not some:
        most = max(node.gpus for node in nodes)
        message = f"{gpus} GPUs in a worker: the largest node has {most}"
        raise FieldError("on.gpus_per_worker", message)
    if cpus is None:
        on_each = -(-(on.workers or 1) // len(some))
        cpus = 1 if gpus else max(1, min(node.cpus for node in some) // on_each)
    if cpus > max(node.cpus for node in some):
        has = max(node.cpus for node in some)
        message = f"{cpus} cores in a worker: the largest node has {has}"
        raise FieldError("on.cpus_per_worker", message)
    return Shape(cpus, gpus)


def rows_of(devices: int, shared: int) -> int:
    """How many tiles a worker trains at once, where so many of its devices share each lane.

    Raises:
        FieldError: they do not divide its devices.

    >>> rows_of(4, 2)
    2
    """
    if devices % shared:
        raise FieldError(
            "plan.model_devices",
            f"{shared} devices for each lane, and a worker has {counted(devices, 'device')}; it "
            "needs a multiple of them (on.cpus_per_worker, on.gpus_per_worker)",
        )
    return devices // shared


def options_of(ray: ModuleType, on: Ray, shape: Shape) -> dict[str, Any]:
    """Ray's options of a task that takes a whole worker of this shape.

    Ray hands tasks to processes that it has, and the devices of one that used JAX are fixed: tasks
    of another shape than a driver's first name their own, and get other processes.
    """
    options: dict[str, Any] = {"num_cpus": shape.cpus, "max_retries": USUAL.tries - 1}
    if shape.gpus:
        options["num_gpus"] = shape.gpus
    own = of_tasks(on.runtime_env or {})
    if shape != _shapes().setdefault(ray.get_runtime_context().get_job_id(), shape):
        variables = {DEVICES: str(shape.gpus or shape.cpus), **own.get("env_vars", {})}
        own["env_vars"] = variables
    return options | ({"runtime_env": own} if own else {})


@functools.cache
def _shapes() -> dict[str, Shape]:
    """Ray's number of a driver -> the shape of its first tasks."""
    return {}


def checked(on: Ray) -> None:
    """Connects, and looks whether there is room for a worker.

    Raises:
        FieldError: there is none, or no cluster.
    """
    shape_of(on, nodes_of(connected(on)))


def _content(setting: Setting) -> Packed:
    """A group as it travels.

    Raises:
        FieldError: something in it cannot.
    """
    try:
        return packed(setting)
    except Exception as error:  # whatever an object's own pickling raises
        raise FieldError(
            "task",
            f"cannot be sent to other processes ({type(error).__name__}: {error}): its functions "
            "close over something of this one (a lock, a generator, a connection); make that "
            "inside the function, or leave `on` out",
        ) from error


def nodes_of(ray: ModuleType) -> list[Node]:
    """The nodes of the cluster that are alive."""
    alive = (node["Resources"] for node in ray.nodes() if node["Alive"])
    return [
        Node(int(has.get("CPU", 0)), int(has.get("GPU", 0)), int(has.get("object_store_memory", 0)))
        for has in alive
    ]


class RayPool:
    """Pieces as tasks of a Ray cluster. A class because it holds those that are under way."""

    def __init__(
        self, ray: ModuleType, on: Ray, setting: Setting, own: Sequence[tuple[str, str]]
    ) -> None:
        self._ray, self._on = ray, on
        nodes = nodes_of(ray)
        self.shape = shape_of(on, nodes)
        self._fit, self._looked = self.shape.fit(nodes), time.monotonic()
        self.width = setting.plan.tile_width or 1
        devices, shared = self.shape.gpus or self.shape.cpus, setting.plan.model_devices
        self.devices = rows_of(devices, shared)
        plan = setting.plan._replace(devices=devices)
        shipment = Shipment(
            key=uuid.uuid4().hex,
            content=_content(setting._replace(plan=plan)),
            own=own,
            environment=environment(),
            precision=jax_setting(PRECISION),
            devices=devices,
        )
        self._shipment = ray.put(shipment)
        options = options_of(ray, on, self.shape)
        self._task = ray.remote(work).options(num_returns=2, retry_exceptions=False, **options)
        self._held: dict[Ticket, Ref] = {}

    def slots(self) -> int:
        """How many workers there is room for now, at most as many as asked for."""
        if time.monotonic() - self._looked > LOOK:
            liveness.check(self._ray)
            self._fit, self._looked = self.shape.fit(nodes_of(self._ray)), time.monotonic()
        return max(1, min(self._fit, self._on.workers or self._fit))

    def waiting(self) -> int:
        """As many again, unless Ray would begin them beside those that were asked for."""
        return self.slots() if self._fit <= (self._on.workers or self._fit) else 0

    def submit(self, piece: Piece, sources: Sequence[Ref]) -> Ticket:
        """Makes a piece a task."""
        # As bytes, which Ray hands on as they are: its own pickler looks every class up.
        content = pickle.dumps(piece, pickle.HIGHEST_PROTOCOL)
        ticket, held = self._task.remote(self._shipment, content, *sources)
        self._held[ticket] = held
        return ticket

    def finished(self, timeout: float) -> list[Done]:
        """What tasks gave, or raised; a task of a killed worker is begun again by Ray."""
        tickets = list(self._held)
        # While as many wait as workers are there, none is idle before as many have come back, and
        # one call for several costs the driver less.
        enough = max(1, len(tickets) - self.slots())
        with liveness.watched(self._ray):
            ready, _ = self._ray.wait(tickets, num_returns=enough, timeout=timeout)
        try:
            contents = self._ray.get(ready)
        except Exception:  # of one of them, which has its turn below
            contents = [None] * len(ready)
        return [self._done(*one) for one in zip(ready, contents, strict=True)]

    def _done(self, ticket: Ticket, content: bytes | None) -> Done:
        """A piece that is back; `content`: what it gives, where that was read already."""
        held = self._held.pop(ticket)
        try:
            with liveness.watched(self._ray):
                result: Trained = pickle.loads(content or self._ray.get(ticket))
        except self._ray.exceptions.RayTaskError as error:
            # Ray makes it a child of the worker's own class too, and then its text has the trace.
            cause = getattr(error, "cause", None)
            return self._failed(Done(ticket, None, None, cause or error, str(error)), held)
        except self._ray.exceptions.RayError as error:
            # A worker that died: Ray has begun the piece again by itself.
            return self._failed(Done(ticket, None, None, error, str(error), final=True), held)
        return Done(ticket, result, held)

    def _failed(self, done: Done, held: Ref) -> Done:
        # Ray prints errors that nobody asked for; this one is in `done`.
        with contextlib.suppress(Exception):
            self._ray.get(held)
        return done

    def fetch(self, refs: Sequence[Ref]) -> list[Held]:
        """States out of the object store, or from another node."""
        while True:
            try:
                with liveness.watched(self._ray):
                    return self._ray.get(list(refs), timeout=FETCH)
            except self._ray.exceptions.GetTimeoutError:  # large ones, or nobody is there
                liveness.check(self._ray)

    def put(self, held: Held) -> Ref:
        """States into the object store."""
        return self._ray.put(held)

    def close(self) -> None:
        """Gives up the pieces that have not come back."""
        for ticket in self._held if self._ray.is_initialized() else ():
            with contextlib.suppress(self._ray.exceptions.RayError):
                self._ray.cancel(ticket)


def on_ray(on: Ray, own: Sequence[tuple[str, str]] = ()) -> OpenPool:
    """A pool of the cluster that `on` names; `own`: own code of a configuration (see
    `Shipment`)."""
    return functools.partial(_opened, on, own)


@contextlib.contextmanager
def _opened(on: Ray, own: Sequence[tuple[str, str]], setting: Setting) -> Iterator[Pool]:
    pool = RayPool(connected(on), on, setting, own)
    try:
        yield pool
    finally:
        pool.close()
