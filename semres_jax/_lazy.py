"""Modules of a package as its attributes, imported when they are first used."""

import pkgutil
import sys
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any


def submodules(package: str, **elsewhere: str) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """`__getattr__` and `__dir__` of a package that knows its public modules without importing them.

    Args:
        package: its dotted name.
        elsewhere: dotted names of modules of other packages that are its attributes too.

    Example:
        >>> import semres_jax.laws
        >>> semres_jax.laws.symbolic.__name__
        'semres_jax.laws.symbolic'
    """

    def attribute(name: str) -> Any:
        if name in elsewhere:
            return import_module(elsewhere[name])
        if not name.startswith("_") and find_spec(f"{package}.{name}") is not None:
            return import_module(f"{package}.{name}")
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    def names() -> list[str]:
        module = sys.modules[package]
        below = [info.name for info in pkgutil.iter_modules(module.__path__) if not info.name.startswith("_")]
        return sorted({*vars(module), *below, *elsewhere})

    return attribute, names
