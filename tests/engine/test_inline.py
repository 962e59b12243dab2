"""Library calls that wait for the threads they occupy: programs that make them end all the same."""

from __future__ import annotations

import functools
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from few import few
from jax.extend.core import jaxpr_as_fun

from lrlab.engine import inline

MANY = np.random.default_rng(0).normal(size=(6, 24, 24)).astype(np.float32)


def _definite(x):
    return x @ x.mT + 24 * jnp.eye(24, dtype=x.dtype)


CALLS = {
    "cholesky": lambda x: jnp.linalg.cholesky(_definite(x)),
    "eigh": lambda x: jnp.linalg.eigvalsh(_definite(x)),
    "eig": lambda x: jnp.abs(jnp.linalg.eigvals(x)).sum(-1),
    "qr": lambda x: jnp.linalg.qr(x)[1],
    "svd": lambda x: jnp.linalg.svd(x, compute_uv=False),
    "lu": jnp.linalg.slogdet,
    "solve": lambda x: jnp.linalg.solve(_definite(x), x),
    "triangular": lambda x: jax.scipy.linalg.solve_triangular(_definite(x), x, lower=True),
    "schur": lambda x: jax.scipy.linalg.schur(x)[0],
    "hessenberg": lambda x: jax.lax.linalg.hessenberg(x)[0],
    "tridiagonal": lambda x: jax.lax.linalg.tridiagonal(_definite(x))[1],
    "tridiagonal_solve": lambda x: jax.lax.linalg.tridiagonal_solve(
        x[0] * (jnp.arange(24) > 0), 9 + x[1], x[2] * (jnp.arange(24) < 23), x
    ),
    "multiply": lambda x: jax.scipy.linalg.qr_multiply(x, x)[0],
    "gradient": jax.grad(lambda x: jnp.linalg.slogdet(_definite(x))[1]),
    "loop": lambda x: jax.lax.fori_loop(0, 2, lambda i, y: jnp.linalg.qr(y)[0] @ y, x),
    "branch": lambda x: jax.lax.cond(x.sum() > 0, jnp.linalg.inv, lambda y: -y, x),
    "checkpoint": jax.grad(jax.checkpoint(lambda x: jnp.linalg.inv(_definite(x)).sum())),
    "fft": lambda x: jnp.fft.fft(x).real,
    "fft2": lambda x: jnp.abs(jnp.fft.fft2(x)),
    "rfft2": lambda x: jnp.fft.irfft2(jnp.fft.rfft2(x) * 2),
    "irfft": lambda x: jnp.fft.irfft(x.astype(jnp.complex64)),
    "fftn": lambda x: jnp.fft.ifftn(x).imag,
}


@pytest.mark.parametrize("name", few(CALLS, 11))
def test_calls_one_by_one_equal_those_of_a_batch(name):
    def function(x):
        return {"value": jax.vmap(CALLS[name])(x)}

    traced = jax.jit(function).trace(MANY)
    assert inline.waits(traced.jaxpr)
    rewritten = inline.inlined(traced.jaxpr)
    assert not inline.waits(rewritten)
    got, expected = jax.jit(jaxpr_as_fun(rewritten))(MANY), jax.tree.leaves(jax.jit(function)(MANY))
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=2e-4, atol=2e-4), got, expected)


def test_small_batches_and_single_calls_stay_as_they_are():
    for shape in ((200, 2, 2), (1, 64, 64), (64, 64)):
        assert not inline.waits(jax.make_jaxpr(jnp.linalg.inv)(jnp.ones(shape)))
    assert inline.waits(jax.make_jaxpr(jnp.linalg.inv)(jnp.ones((2, 64, 64))))
    assert not inline.waits(jax.make_jaxpr(jnp.fft.fft)(jnp.ones((4, 64))))
    assert inline.calls(jax.make_jaxpr(lambda x: x + 1)(1.0)) == ()


def test_blas_has_its_threads_again_afterwards():
    import threadpoolctl

    from lrlab.engine import threads

    jnp.linalg.cholesky(jnp.eye(2))  # loads SciPy's BLAS

    def counts():
        return [lib["num_threads"] for lib in threadpoolctl.threadpool_info()]

    before = counts()
    threads.one_each()  # outside of a scope: nothing
    assert counts() == before

    def failing():
        with threads.scope():
            threads.one_each()
            with threads.scope():
                threads.one_each()
            assert min(counts()) == 1
            raise RuntimeError("inside")

    with pytest.raises(RuntimeError, match="inside"):
        failing()
    assert counts() == before


SCRIPT = """
import numpy as np, jax, jax.numpy as jnp, optax, flax.linen as nn, lrlab

t = np.linspace(-3, 3, 60)
y = np.sin(2 * t)

def covariance(p):
    near = jnp.exp(-0.5 * (t[:, None] - t[None]) ** 2 / jnp.exp(p["ls"]) ** 2)
    return near + (jnp.exp(p["sn"]) + 1e-3) * jnp.eye(60)

def loss(p, key):
    kernel = covariance(p)
    factor = jnp.linalg.cholesky(kernel)
    solved = jax.scipy.linalg.cho_solve((factor, True), jnp.asarray(y))
    both = jnp.linalg.slogdet(kernel)[1] + jnp.abs(jnp.linalg.qr(kernel)[1]).mean()
    return 0.5 * y @ solved + both + jnp.abs(jnp.fft.fft2(kernel)).mean()

def eigenvalue(p):
    kernel = covariance(p)
    return jnp.linalg.eigvalsh(kernel)[-1] + jnp.linalg.svd(kernel, compute_uv=False)[0]

def init(key):
    return {"ls": jax.random.normal(key) * 0.1, "sn": jnp.zeros(())}

def orthogonal(hyper):
    def update(grads, state, params=None):
        def one(g):
            return g if g.ndim < 2 else jnp.linalg.svd(g, full_matrices=False)[0][:, : g.shape[1]]
        return jax.tree.map(lambda g: -hyper["lr"] * one(g), grads), state
    return optax.GradientTransformation(lambda params: optax.EmptyState(), update)

def sweep(task, devices=None, **options):
    chosen = dict(lr=lrlab.log_grid(1e-4, 1e-2, 8), optimizer="adam", steps=40, seeds=3)
    plan = lrlab.Plan(tile_width=4, devices=devices)
    return lrlab.sweep(task, **{**chosen, "plan": plan, "progress": False, **options})

task = lrlab.Task.objective("all", init=init, loss=loss, metrics={"top": (eigenvalue, "min")})
two, one = sweep(task), sweep(task, devices=1)
assert (two.plan.devices, one.plan.devices) == (2, 1)
assert any("cholesky, fft, lu, qr, triangular_solve: one call" in why for why in two.plan.reasons)
for name in ("train_loss", "valid_top"):
    np.testing.assert_array_equal(one.history[name], two.history[name])
print("ended")
"""


OWN = """
x = np.random.default_rng(0).normal(size=(64, 32)).astype("f4")
layers = nn.Dense(32, kernel_init=nn.initializers.orthogonal()), nn.relu, nn.Dense(2)
own = lrlab.Task.supervised(model=nn.Sequential(layers), loss="softmax_cross_entropy",
                            train=(x, np.arange(64) % 2), valid=(x, np.arange(64) % 2))
sweep(own, optimizer=orthogonal, batch_size=32, probes=("sharpness",))
"""


@pytest.mark.slow
@pytest.mark.parametrize("further", few(["", OWN], 1))
def test_sweeps_with_linear_algebra_end_on_two_devices(further, tmp_path):
    path = tmp_path / "script.py"
    path.write_text("import jax\njax.config.update('jax_num_cpu_devices', 2)\n" + SCRIPT + further)
    done = subprocess.run(
        [sys.executable, str(path)], capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.startswith("ended")
