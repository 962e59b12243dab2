"""What pytest leaves out, the order of tests, and the guard: a test leaves the process as it was,
so that any order, and all tests in one process, end the same way and in bounded memory."""

from __future__ import annotations

import gc
import importlib.util
import logging
import os
import random
import signal
import subprocess
import sys
import threading
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import hypothesis
import pytest

OF_PACKAGES = {"torch": "lrlab/bench/torch_ways.py", "equinox": "lrlab/bench/stock_equinox.py"}
"""Modules that need an optional package as they are imported."""

collect_ignore = [
    path for package, path in OF_PACKAGES.items() if importlib.util.find_spec(package) is None
]

ORDER = 0
"""The order of tests (of pytest-randomly) that a command which names none gets: the same each time.
`--randomly-seed=N` gives another, `-p no:randomly` that of the files."""


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    if getattr(config.option, "randomly_seed", None) == "default":
        config.option.randomly_seed = ORDER


QUICK_TO_COMPILE = (
    "--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false "
    "--xla_cpu_parallel_codegen_split_count=1"
)
"""XLA's flags for tests: they compile thousands of programs and run each for a moment, and without
XLA's optimizations of machine code a program compiles in a fifth of the time. In one piece it takes
a third less of that than in the pieces that XLA would compile beside each other."""


def set_xla_flags() -> None:
    """Sets the flags before anything imports JAX, for workers and subprocesses too; flags of the
    environment are left alone (`XLA_FLAGS= pytest ...` tests what users run)."""
    if "XLA_FLAGS" in os.environ:
        return
    trial = {**os.environ, "XLA_FLAGS": QUICK_TO_COMPILE}
    # XLA ends a process whose flags it does not know; they differ between versions.
    command = [sys.executable, "-c", "import jax; jax.devices()"]
    known = subprocess.run(command, env=trial, capture_output=True, check=False).returncode == 0
    os.environ["XLA_FLAGS"] = QUICK_TO_COMPILE if known else ""


set_xla_flags()

# Most tests are about other things than figures, which take longer to draw than a test to train;
# those that look at them set this (`tests/report/test_drawing.py`).
os.environ.setdefault("LRLAB_FIGURES", "none")


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """One device per core from the start: whichever test comes first, it finds what others find."""
    if getattr(config.option, "numprocesses", None) and not hasattr(config, "workerinput"):
        return  # the process that only hands tests to others
    from lrlab.engine.devices import prepare_devices

    prepare_devices()


# No example fails because a machine is slow, and every run tries the same ones;
# `--hypothesis-profile=default` tries others.
hypothesis.settings.register_profile(
    "lrlab",
    deadline=None,
    derandomize=True,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("lrlab")

RESIDENT_BYTES = 3 << 29
"""Beyond this, what a file of tests has compiled is dropped after it. A program takes about 5 MB,
and the suite has thousands; to drop them after every file would compile what several share anew."""


ALLOCATIONS = 10_000
"""How many more objects than were freed there are before Python's collector looks (its own number
is 700): to import, to trace and to parse makes many, nearly none of them garbage in circles."""

gc.set_threshold(ALLOCATIONS)


def pytest_collection_finish() -> None:
    """Python's collector need not go through all that imports and collection made, again and again
    (some 30 ms each time)."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    if nextitem is None or item.path == nextitem.path or resident() < RESIDENT_BYTES:
        return
    for value in list(vars(getattr(item, "module", None) or sys).values()):
        if hasattr(value, "cache_clear") and not isinstance(value, type):
            value.cache_clear()
    from lrlab.engine.memory import free

    free()


def resident() -> int:
    """Bytes of memory that this process has now; 0 where that cannot be read."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGALRM", "SIGPROF", "SIGVTALRM", "SIGUSR1", "SIGUSR2",
           "SIGCHLD", "SIGPIPE")  # fmt: skip

LOGGERS = ("", "absl", "jax", "lrlab", "matplotlib", "orbax")


class Watched(NamedTuple):
    """A part of the process that a test must leave as it was."""

    look: Callable[[], Mapping[str, Any]]
    """What it is now: name -> value; values are compared by identity, then by `==`."""

    libraries: bool = True
    """Whether other libraries set it for good when they are imported: then the test that happens to
    be the first to import one is not looked at."""

    restore: Callable[[str, Any], Any] | None = None
    """Sets one of them back (`GONE`: it was not there), so that one test fails and not many."""


GONE = object()


def handlers() -> dict[str, Any]:
    known = (getattr(signal, name) for name in SIGNALS if hasattr(signal, name))
    return {number.name: signal.getsignal(number) for number in known}


def set_handler(name: str, value: Any) -> None:
    signal.signal(getattr(signal, name), value)


def environment() -> dict[str, Any]:
    # pytest writes these itself.
    return {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "COV_"))}


def set_variable(name: str, value: Any) -> None:
    os.environ.pop(name, None)
    if value is not GONE:
        os.environ[name] = value


def folder() -> dict[str, Any]:
    return {"folder": os.getcwd()}


def hooks() -> dict[str, Any]:
    return {
        "sys.excepthook": sys.excepthook,
        "sys.unraisablehook": sys.unraisablehook,
        "threading.excepthook": threading.excepthook,
        "sys.path": tuple(sys.path),
    }


def loggers() -> dict[str, Any]:
    found = {}
    for name in LOGGERS:
        one = logging.getLogger(name or None)
        # pytest's own handlers come and go with the phases of a test.
        own = [h for h in one.handlers if not type(h).__module__.startswith("_pytest")]
        found[f"logger {name or 'root'}"] = (one.level, tuple(own), tuple(one.filters))
    return found


def jax_settings() -> dict[str, Any]:
    jax = sys.modules.get("jax")
    return {} if jax is None else dict(jax.config.values)


def set_jax(name: str, value: Any) -> None:
    sys.modules["jax"].config.update(name, value)


def numpy_settings() -> dict[str, Any]:
    numpy = sys.modules.get("numpy")
    return {} if numpy is None else {**numpy.geterr(), **numpy.get_printoptions()}


def set_numpy(name: str, value: Any) -> None:
    numpy = sys.modules["numpy"]
    if name in numpy.geterr():
        numpy.seterr(**{name: value})
    else:
        numpy.set_printoptions(**{name: value})


def style() -> dict[str, Any]:
    matplotlib = sys.modules.get("matplotlib")
    if matplotlib is None or not hasattr(matplotlib, "rcParams"):
        return {}
    settings = dict.copy(matplotlib.rcParams)
    for name in ("backend", "backend_fallback"):  # pyplot's import resolves them
        settings.pop(name, None)
    return settings


def set_style(name: str, value: Any) -> None:
    if value is not GONE:
        sys.modules["matplotlib"].rcParams[name] = value


def figures() -> dict[str, Any]:
    """Those that pyplot holds until they are closed."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    return {"numbers": () if pyplot is None else tuple(pyplot.get_fignums())}


TABLES: dict[str, tuple[int, list[str]]] = {}
"""Module -> how many attributes it had, and which of them are named like tables."""


def attributes() -> dict[str, Any]:
    """The attributes of every module of lrlab, and the entries of its tables; lazily imported
    modules are no change. Two looks for every test: it takes a millisecond."""
    found: dict[str, Any] = {}
    for name in [name for name in sys.modules if name[:5] == "lrlab"]:
        module = sys.modules[name]
        if module is None or name[5:6] not in ("", "."):
            continue
        found[name] = held = vars(module).copy()
        count, tables = TABLES.get(name, (0, []))
        if count != len(held):
            tables = [key for key in held if key.isupper()]
            TABLES[name] = len(held), tables
        for key in tables:
            if type(held.get(key)) in (dict, list, set):
                found[f"{name} {key}"] = copied(held[key])
    return found


def copied(table: Any) -> Any:
    return dict(table) if isinstance(table, dict) else tuple(table)


WATCHED = {
    "signal handler": Watched(handlers, False, set_handler),
    "environment": Watched(environment, True, set_variable),
    "working folder": Watched(folder, False, lambda name, value: os.chdir(value)),
    "hook": Watched(hooks),
    "logging": Watched(loggers),
    "JAX's setting": Watched(jax_settings, True, set_jax),
    "NumPy's setting": Watched(numpy_settings, True, set_numpy),
    "Matplotlib's": Watched(style, True, set_style),
    "open figures": Watched(
        figures, False, lambda name, value: sys.modules["matplotlib.pyplot"].close("all")
    ),
    "attribute of": Watched(attributes, False),
}


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Names whose value is another -> the value before."""
    found = {}
    for name in {**before, **after}:
        old, new = before.get(name, GONE), after.get(name, GONE)
        if old is not new and not alike(old, new):
            found[name] = old
    return found


def alike(old: Any, new: Any) -> bool:
    try:
        return bool(old == new)
    except ValueError:  # arrays, which are compared by identity
        return False


def module_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """`changes` of the attributes: "module attribute" -> the value before."""
    found = {}
    for name, old in before.items():
        new = after.get(name, old)  # a module that is gone is none that others use
        if alike(old, new):
            continue
        if " " in name:
            found[name] = old
            continue
        for attribute, value in changes(old, new).items():
            lazy = value is GONE and isinstance(new[attribute], types.ModuleType)
            if not lazy and attribute[:2] != "__":
                found[f"{name} {attribute}"] = value
    return found


def set_back(kind: str, name: str, value: Any) -> None:
    if kind == "attribute of":
        where, _, attribute = name.partition(" ")
        module = vars(sys.modules[where])
        if isinstance(module.get(attribute), (dict, list, set)):
            return  # its entries; what they were in full is not known
        module.pop(attribute, None) if value is GONE else module.update({attribute: value})
    elif (restore := WATCHED[kind].restore) is not None:
        restore(name, value)


@pytest.fixture(autouse=True)
def leaves_the_process_as_it_was() -> Iterator[None]:
    """Fails the test that changes what later tests, or a library's caller, would find changed."""
    before, modules = {kind: part.look() for kind, part in WATCHED.items()}, set(sys.modules)
    yield
    left = []
    new = {name.partition(".")[0] for name in set(sys.modules) - modules} - {"lrlab"}
    for kind, part in WATCHED.items():
        if new and part.libraries:
            continue
        after = part.look()
        compared = module_changes if kind == "attribute of" else changes
        for name, value in compared(before[kind], after).items():
            left.append(f"{kind} {name}")
            set_back(kind, name, value)
    if left:
        pytest.fail(f"left changed: {', '.join(sorted(left))}", pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call() -> Iterator[None]:
    """Python's and NumPy's common random numbers, looked at here because pytest-randomly seeds them
    before every phase of a test."""
    before, modules = random_states(), len(sys.modules)
    result = yield
    after = random_states()
    changed = [name for name, state in before.items() if after[name] != state]
    if changed and len(sys.modules) == modules:  # libraries draw names for themselves at import
        pytest.fail(f"drew from, or seeded: {', '.join(changed)}", pytrace=False)
    return result


def random_states() -> dict[str, Any]:
    import numpy as np

    state = np.random.get_state()
    return {"random": random.getstate(), "numpy.random": (state[1].tobytes(), *state[2:])}
