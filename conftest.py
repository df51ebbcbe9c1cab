"""Settings of tests and examples: four CPU devices, no silent rank promotion, x64 a fixture, annotations checked,
compiled programs kept for the next run."""

import collections
import gc
import os
import shutil
from pathlib import Path

# Programs read from a file are compared with the processor, and errors printed about features that XLA invents itself.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Two processes share the cores already, and threads of BLAS spin while they wait.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import jax
import pytest

from tests import annotations

# Before anything starts a JAX backend or imports the package. Four devices, so that sharding is tested everywhere.
jax.config.update("jax_num_cpu_devices", 4)
jax.config.update("jax_numpy_rank_promotion", "raise")
annotations.check("semres_jax")

from semres_jax.cli import _programs  # noqa: E402

# Where programs compiled by tests are kept, for all processes of this run and for runs after it: $SEMRES_TEST_CACHE,
# or in the user's folder for such things. Nobody else's programs are used, and no command's own folder is touched.
_BASE = Path(os.environ.get("SEMRES_TEST_CACHE") or _programs.folder_of_this_machine().parent.parent / "semres-tests")
_PROGRAMS = _BASE / _programs.folder_of_this_machine().name
_MOST_BYTES = 2 * 2**30
_CACHE = {
    "jax_compilation_cache_dir": str(_PROGRAMS),
    "jax_persistent_cache_min_compile_time_secs": 0.0,
    "jax_persistent_cache_min_entry_size_bytes": -1,
    "jax_persistent_cache_enable_xla_caches": "none",  # or the folder's name decides what is found in it
}
# But for --all, programs are compiled with fewer of LLVM's passes; tests/test_canary.py as for users all the same.
# XLA's older emitters (--xla_cpu_use_fusion_emitters=false) would compile in half the time, and compute wrong numbers:
# exact accuracies on sphere(9) were off by 5e-3 with jax 0.10.1.
_QUICK_FLAGS = ("--xla_backend_optimization_level=1", "--xla_backend_extra_options=xla_cpu_use_multi_output_fusion")
# A heap of millions of traced objects is searched for garbage too often by Python's own settings: a tenth of the time.
gc.set_threshold(100_000, 50, 100)
# Processes that tests start have a folder of their own, and keep no small programs: XLA may print a line about each
# that it reads, and commands must say nothing else.
_OF_COMMANDS = {
    "jax_compilation_cache_dir": str(_PROGRAMS / "commands"),
    "jax_persistent_cache_min_compile_time_secs": 0.02,
}
for _name, _value in _CACHE.items():
    jax.config.update(_name, _value)
    os.environ[_name.upper()] = str(_OF_COMMANDS.get(_name, _value))

# Files whose programs are compiled as users' are: every engine on every problem with a known answer, estimates of the
# same problems, the last bit of formulas from SymPy, bits of several processes, what JAX itself must get right, what
# users copy from the documentation, and searches that call a program thousands of times. All others are compiled with
# few of the compiler's optimisations, which takes a quarter off, and compared with the same references to the same
# digits; with --all nothing is.
_AS_FOR_USERS = (
    "laws/test_engines.py", "laws/test_symbolic.py", "measure/test_choices.py", "montecarlo/test_estimate.py",
    "tests/test_canary.py", "tests/test_docs.py", "tests/test_families.py", "tests/test_hosts.py",
)  # fmt: skip


# Files that take longest: first, so that no process is left alone with one.
_FIRST = ("independent/test_cells.py", "laws/test_edges.py")


def pytest_addoption(parser):
    parser.addoption("--all", action="store_true", help="also the cases that are left out to be quick")


def pytest_configure(config):
    if not config.getoption("--all"):  # read when a backend starts, which is later
        flags = {*os.environ.get("XLA_FLAGS", "").split(), *_QUICK_FLAGS}
        os.environ["XLA_FLAGS"] = " ".join(sorted(flags))
    if not hasattr(config, "workerinput"):  # once, before xdist starts its processes
        used = sum(path.stat().st_size for path in _PROGRAMS.rglob("*") if path.is_file())
        if used > _MOST_BYTES:
            shutil.rmtree(_PROGRAMS, ignore_errors=True)
    config.addinivalue_line(
        "markers", "thorough(keep=0): run with --all only, but for `keep` cases of a test's parameters, evenly spread"
    )


def pytest_collection_modifyitems(config, items):
    """Leave out the thorough cases. Which ones stay depends on the test's parameters alone."""
    items.sort(key=lambda item: not item.path.as_posix().endswith(_FIRST))
    if config.getoption("--all"):
        return
    cases = collections.defaultdict(list)
    for item in items:
        if item.get_closest_marker("thorough"):
            cases[item.path, item.originalname].append(item)
    left_out = set()
    for same in cases.values():
        keep = min(same[0].get_closest_marker("thorough").kwargs.get("keep", 0), len(same))
        kept = {i * len(same) // keep for i in range(keep)}
        left_out |= {item for i, item in enumerate(same) if i not in kept}
    config.hook.pytest_deselected(items=[item for item in items if item in left_out])
    items[:] = [item for item in items if item not in left_out]


def pytest_sessionfinish():
    gc.collect()  # so that what finalizers raise is reported
    gc.freeze()  # or pytest searches the whole heap twice more


@pytest.fixture(autouse=True, scope="module")
def quickly_compiled(request):
    """Without most of the compiler's optimisations, but for `_AS_FOR_USERS` and with --all.

    Programs compiled the other way are forgotten, or what a file finds would depend on the file before it.
    """
    quickly = not (request.config.getoption("--all") or request.path.as_posix().endswith(_AS_FOR_USERS))
    if jax.config.values["jax_disable_most_optimizations"] != quickly:
        jax.clear_caches()
        jax.config.update("jax_disable_most_optimizations", quickly)


@pytest.fixture
def x64():
    """64-bit numbers within the test, as the commands switch them on for laws and quadratures."""
    with jax.enable_x64(True):
        yield
