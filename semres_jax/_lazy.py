"""Modules of a package as its attributes, imported when they are first used."""

import pkgutil
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any


def submodules(
    package: str, members: Mapping[str, Sequence[str]] | None = None, **elsewhere: str
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """`__getattr__` and `__dir__` of a package that knows its public modules without importing them.

    Args:
        package: its dotted name.
        members: names that are the package's too, by the module of the package that defines them; none may be that of a
            module, which would take its place once it is imported.
        elsewhere: dotted names of modules of other packages that are its attributes too.

    Example:
        >>> import semres_jax.laws
        >>> semres_jax.laws.symbolic.__name__
        'semres_jax.laws.symbolic'
    """

    home_of = {name: module for module, names in (members or {}).items() for name in names}

    def attribute(name: str) -> Any:
        if name in home_of:
            return getattr(import_module(f"{package}.{home_of[name]}"), name)
        if name in elsewhere:
            return import_module(elsewhere[name])
        if not name.startswith("_") and find_spec(f"{package}.{name}") is not None:
            return import_module(f"{package}.{name}")
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    def names() -> list[str]:
        module = sys.modules[package]
        below = [info.name for info in pkgutil.iter_modules(module.__path__) if not info.name.startswith("_")]
        return sorted({*vars(module), *below, *home_of, *elsewhere})

    return attribute, names
