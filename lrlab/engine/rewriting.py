"""Products, convolutions and pooling of anyone's model in the layouts that are fast for lanes.

XLA's CPU kernels take up to three times as long for a stock `nn.Dense` or `nn.Conv` under `vmap` as
`lrlab.models.dense` and `lrlab.models.conv` do. The layers of Linen, NNX, Equinox,
Haiku and plain JAX all end in the same few primitives. So the traced program of a task's loss is
rewritten, not the model: what is a dense layer there, its bias, a convolution or a pooling becomes
what our own layers would have traced, before it is differentiated, and so do the maxima, sums and
gathers over classes of which people make cross-entropies. Equal to rounding.

Tiles of one lane are left as they are, to the bits of the run by hand; so are accelerators. What
stays as it is in wider tiles, and why, `notes` says.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple, TypeGuard, TypeVar

import jax
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn, Literal, Var, jaxpr_as_fun

from lrlab.core.tracing import is_beside_others
from lrlab.engine.jaxprs import inner_programs, of_scan, opened, shape_of, with_inner
from lrlab.engine.rewriting_rules import RULES, Rule, bias, product
from lrlab.models.platform import on_cpu
from lrlab.types import PyTree, TaskFunctions

R = TypeVar("R")

BY_POSITION = frozenset({"jit", "pjit", "closed_call", "remat", "remat2", "checkpoint",
                         "custom_jvp_call", "custom_vjp_call"})  # fmt: skip
"""Equations whose inner program takes their inputs one for one."""

SHAPING = frozenset({"broadcast_in_dim", "convert_element_type", "copy", "expand_dims", "reshape",
                     "squeeze", "transpose"})  # fmt: skip
"""Equations that leave weights weights."""

WORDS = {"dot_general": "products", "conv_general_dilated": "convolutions",
         "reduce_window_max": "max pooling", "reduce_window_sum": "average pooling",
         "reduce_max": "reductions", "reduce_sum": "reductions", "gather": "gathers"}  # fmt: skip
"""What is rewritten, for people."""


class Note(NamedTuple):
    """Equations of one kind in a task's loss: how many (in a loop each counts once), and why they
    were left as they are (None: they were rewritten)."""

    what: str
    number: int
    why: str | None = None


Kernels = dict[Var, bool]
"""Variables that hold nothing but parameters -> whether a loop reads them at every turn."""


class Program(NamedTuple):
    """A program after the rules, and what they said of each equation: (primitive, why not)."""

    jaxpr: Jaxpr
    said: list[tuple[str, str | None]]


def rewritten(task: TaskFunctions) -> TaskFunctions:
    """A task's functions, each rewritten when it is traced for lanes beside each other on CPU. An
    update of the task's own stays as it is: its gradients are in its program already."""
    if task.step is not None:
        return task
    return task._replace(
        loss=_quick(task.loss, differentiated=True),
        evaluate=None if task.evaluate is None else _quick(task.evaluate),
        part=None if task.part is None else _quick(task.part),
        outputs=None if task.outputs is None else _quick(task.outputs),
        features=None if task.features is None else _quick(task.features),
    )


def notes(function: Callable[..., PyTree], *args: PyTree) -> tuple[Note, ...]:
    """What would be rewritten of `function(params, ...)`, and what not; nothing is computed.

    >>> import jax.numpy as jnp
    >>> x, w = jnp.ones((64, 8)), jnp.ones((8, 4))
    >>> notes(lambda w, x: x @ w, w, x)
    (Note(what='products', number=1, why=None),)
    """
    closed = jax.make_jaxpr(function)(*args)
    said = _changed(closed.jaxpr, _weights(closed.jaxpr, args), differentiated=True).said
    counts = Counter((WORDS[name], why) for name, why in said)
    return tuple(Note(what, count, why) for (what, why), count in counts.items())


def convolves(said: Sequence[Note]) -> bool:
    """Whether convolutions are rewritten, which XLA takes up to ten times as long for.

    >>> convolves([Note("convolutions", 1)]), convolves([Note("convolutions", 1, "too large")])
    (True, False)
    """
    return any(note.what == WORDS["conv_general_dilated"] and note.why is None for note in said)


def multiplies(said: Sequence[Note]) -> bool:
    """Whether most products are rewritten; XLA takes up to a third longer for them.

    >>> multiplies([Note("products", 2), Note("products", 1, "too large")])
    True
    >>> multiplies([Note("products", 1), Note("products", 1, "too large")])
    False
    """
    products = [note for note in said if note.what == WORDS["dot_general"]]
    rewritten = sum(note.number for note in products if note.why is None)
    return 2 * rewritten > sum(note.number for note in products)


def in_words(note: Note) -> str:
    """A note as `lrlab plan` says it.

    >>> in_words(Note("products", 2))
    '2 products rewritten in tiles of several lanes'
    >>> in_words(Note("convolutions", 1, "more than 8 groups"))
    '1 convolution not rewritten: more than 8 groups'
    """
    what = note.what if note.number > 1 else note.what.removesuffix("s")
    if note.why is None:
        return f"{note.number} {what} rewritten in tiles of several lanes"
    return f"{note.number} {what} not rewritten: {note.why}"


def _quick(function: Callable[..., R], differentiated: bool = False) -> Callable[..., R]:
    @functools.wraps(function)
    def by_program(*args: PyTree) -> R:
        if not (is_beside_others() and on_cpu()):
            return function(*args)
        closed, shapes = jax.make_jaxpr(function, return_shape=True)(*args)
        program = _changed(closed.jaxpr, _weights(closed.jaxpr, args), differentiated)
        # Where nothing changes the program is the same, and tracing it twice is avoided.
        flat = jaxpr_as_fun(ClosedJaxpr(program.jaxpr, closed.consts))(*jax.tree.leaves(args))
        return jax.tree.unflatten(jax.tree.structure(shapes), flat)

    return by_program


def _weights(jaxpr: Jaxpr, args: Sequence[PyTree]) -> Kernels:
    """The inputs that are parameters: those of the first argument."""
    return dict.fromkeys(jaxpr.invars[: len(jax.tree.leaves(args[0]))], False)


def _changed(jaxpr: Jaxpr, weights: Kernels, differentiated: bool) -> Program:
    """A program by the rules.

    Args:
        weights: its inputs that hold nothing but parameters.
        differentiated: its gradient is taken. A layer that a loop applies again and again, as in a
            recurrent net, then stays as it is: rewritten its kernel is turned, and the gradient by
            it turned back, at every turn. Kernels of layers through which a loop goes, one at each
            turn, are as good as any.
    """
    kernels = dict(weights)
    layers: dict[Var, int] = {}  # results of dense layers, and their axis of features
    biases: dict[Var, tuple[Var, int]] = {}  # broadcast vectors: of what, and their axis
    equations: list[JaxprEqn] = []
    said: list[tuple[str, str | None]] = []
    for equation in jaxpr.eqns:
        name = equation.primitive.name
        rule = _rule(equation, kernels)
        if isinstance(rule, Rule):
            if rule.features is not None:
                layers[equation.outvars[0]] = rule.features
            equation = _called(equation, rule.function, equation.invars)
        elif name in ("add", "add_any") and (pair := _with_bias(equation, layers, biases)):
            y, b = pair
            equation = _called(equation, bias(layers[y]), [y, b])
        elif name in SHAPING:
            _shaped(equation, kernels, biases)
            # `vmap` of a layer of one example (Equinox) gives [out, N], turned before the bias.
            if name == "transpose" and _in(equation.invars[0], layers):
                axis = equation.params["permutation"].index(layers[equation.invars[0]])
                layers[equation.outvars[0]] = axis
        else:
            equation = _inside(equation, kernels, said, differentiated)
        if rule is not None and name in WORDS:
            said.append((name, rule if isinstance(rule, str) else None))
        equations.append(equation)
    return Program(jaxpr.replace(eqns=equations), said)


def _rule(equation: JaxprEqn, kernels: Kernels) -> Rule | str | None:
    """What an equation becomes, or why it stays; None where there is nothing to say."""
    name = equation.primitive.name
    if name == "dot_general":
        held = [bool(_in(variable, kernels)) for variable in equation.invars]
        if any(_in(variable, kernels) and kernels[variable] for variable in equation.invars):
            return "a kernel that a loop reads at every turn"
        return product(equation, held.index(True) if sum(held) == 1 else None)
    return RULES[name](equation) if name in RULES else None


def _in(variable: Var | Literal, known: Collection[Var]) -> TypeGuard[Var]:
    return not isinstance(variable, Literal) and variable in known


def _called(
    equation: JaxprEqn, function: Callable[..., jax.Array], inputs: Sequence[Var | Literal]
) -> JaxprEqn:
    """The equation as a call of `function`."""
    call = jax.make_jaxpr(jax.jit(function))(*(variable.aval for variable in inputs)).eqns[0]
    return equation.replace(
        invars=list(inputs), primitive=call.primitive, params=call.params, effects=call.effects
    )


def _shaped(equation: JaxprEqn, kernels: Kernels, biases: dict[Var, tuple[Var, int]]) -> None:
    """Follows weights, and vectors that are broadcast, through an equation that shapes them."""
    (of, *_), (result,) = equation.invars, equation.outvars
    if not _in(of, kernels):
        return
    kernels[result] = kernels[of]
    before, after = shape_of(of), shape_of(result)
    if equation.primitive.name == "broadcast_in_dim":
        axes = equation.params["broadcast_dimensions"]
    elif equation.primitive.name == "reshape" and before == tuple(n for n in after if n != 1):
        axes = tuple(axis for axis, size in enumerate(after) if size != 1)
    else:
        return
    if len(before) == 1 and len(axes) == 1:
        biases[result] = of, axes[0]
    elif of in biases and axes == tuple(range(len(after))):
        biases[result] = biases[of]


def _with_bias(
    equation: JaxprEqn, layers: dict[Var, int], biases: dict[Var, tuple[Var, int]]
) -> tuple[Var, Var] | None:
    """(result of a dense layer, bias [out]) where an equation adds them."""
    a, b = equation.invars
    for y, addend in ((a, b), (b, a)):
        if _in(y, layers) and _in(addend, biases) and len(shape_of(y)) == 2:
            vector, axis = biases[addend]
            if axis == layers[y] and shape_of(vector)[0] == shape_of(y)[axis]:
                return y, vector
    return None


def _inside(
    equation: JaxprEqn,
    kernels: Kernels,
    said: list[tuple[str, str | None]],
    differentiated: bool,
) -> JaxprEqn:
    """The equation with the programs inside it changed.

    A function with a derivative of its own stays as it is, and so does a checkpoint with a policy,
    which chooses among products by their primitive.
    """
    name, inner = equation.primitive.name, list(inner_programs(equation))
    if not inner:
        return equation
    why = "in a function with a derivative of its own" if name.startswith("custom_") else None
    if equation.params.get("policy") is not None:
        why = "in a checkpoint with a policy"
    params = {}
    for place, value in equation.params.items():

        def change(jaxpr: Jaxpr, place: str = place) -> Jaxpr:
            held = _weights_inside(equation, place, jaxpr, kernels, differentiated)
            program = _changed(jaxpr, held, differentiated)
            said.extend((one, reason or why) for one, reason in program.said)
            return program.jaxpr

        params[place] = with_inner(value, change)
    if why is not None:
        return equation
    if name in ("jit", "pjit"):
        body = opened(inner[0])
        held = _weights_inside(equation, "jaxpr", body, kernels, differentiated)
        pairs = zip(equation.outvars, body.outvars, strict=True)
        kernels |= {result: held[one] for result, one in pairs if _in(one, held)}
    return equation.replace(params=params)


def _weights_inside(
    equation: JaxprEqn, place: str, jaxpr: Jaxpr, kernels: Kernels, differentiated: bool
) -> Kernels:
    """The inputs of a program inside an equation, its parameter `place`, that hold weights alone.
    What a loop carries on is none of them."""
    name, options = equation.primitive.name, equation.params
    again = 0  # so many of `given` are the same at every turn
    given: Sequence[Var | Literal | None] = list(equation.invars)
    if name == "scan":
        first, count = of_scan(equation)
        given, again = [*given[:first], *[None] * count, *given[first + count :]], first
    elif name == "while":
        before = options["cond_nconsts"]
        consts = given[before : before + options["body_nconsts"]]
        consts = consts if place == "body_jaxpr" else given[:before]
        given, again = [*consts, *[None] * (len(jaxpr.invars) - len(consts))], len(consts)
    elif name == "cond":
        given = given[1:]
    elif name not in BY_POSITION:
        return {}
    if len(given) != len(jaxpr.invars):
        return {}
    pairs = enumerate(zip(jaxpr.invars, given, strict=True))
    return {
        inside: kernels[of] or (differentiated and number < again)
        for number, (inside, of) in pairs
        if of is not None and _in(of, kernels)
    }
