"""Compiled programs that commands keep for the next time: JAX's own persistent cache, in a folder of this machine's."""

import hashlib
import os
import platform
import shutil
import sys
from importlib import metadata
from pathlib import Path

# Programs that took less are compiled again: reading them takes as long.
_SECONDS = "0.2"
# The folder that `keep` chose, and whether something in it can't be read.
_own: dict[str, Path] = {}
_damaged: list[bool] = []


def keep() -> None:
    """Switch the cache on for a command about to import JAX; what the user's environment says about it stays.

    JAX_ENABLE_COMPILATION_CACHE=false turns it off, JAX_COMPILATION_CACHE_DIR names another folder. Where JAX has been
    imported already, as in tests and notebooks, nothing is changed.
    """
    if "jax" in sys.modules:
        return
    # Loading a program, XLA compares the processor with what it was compiled for, and prints pages of errors about
    # features that it invents itself (prefer-no-gather). The folder is that of one kind of processor.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if "JAX_COMPILATION_CACHE_DIR" in os.environ:
        return
    try:
        folder = folder_of_this_machine()
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError, ValueError):  # no home; a folder that can't be made; a path that none can have
        return
    if not os.access(folder, os.W_OK):
        return
    os.environ["JAX_COMPILATION_CACHE_DIR"] = str(folder)
    _own["folder"] = folder
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", _SECONDS)


def forget_at_the_end() -> None:
    """Say that programs of the folder can't be read: JAX never replaces them."""
    _damaged.append(True)


def forget() -> None:
    """Remove the folder, if it is the one that `keep` chose and something in it can't be read."""
    if _damaged and "folder" in _own:
        shutil.rmtree(_own["folder"], ignore_errors=True)
    _damaged.clear()


def folder_of_this_machine() -> Path:
    """Where programs of this version of JAX and this kind of processor are: they must not run on another."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    versions = " ".join(metadata.version(name) for name in ("jax", "jaxlib"))
    kind = hashlib.sha256(f"{versions} {platform.machine()} {_processor()}".encode()).hexdigest()[:16]
    return base / "semres_jax" / f"programs-{kind}"


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            named = sorted({line for line in lines if line.startswith(("model name", "flags", "Features", "CPU part"))})
        return "".join(named)
    except OSError:
        return platform.processor()
