"""Classes as pytrees: the one way in which spaces and similarities are registered with JAX.

A subclass of `Registered` is registered as it is: a plain class with an `__init__` of its own, a dataclass, one
decorated with `pytree`. Not by `jax.tree_util.register_dataclass`: structures made by it compare equal for different
classes with the same fields (jax 0.10.1 and 0.12.0.1: a circle like an interval, a Gaussian like an exponential), so
that jit could, on a collision of hashes, run the program compiled for the other class. Here the class is part of the
structure.
"""

import contextlib
import dataclasses
import functools
import inspect
from typing import Any, TypeVar, dataclass_transform

import jax
import numpy as np

from semres_jax._checks import number_leaf, unknown

_C = TypeVar("_C", bound=type)
_NOTHING = object()
# The leaf of what has no other.
_MEMBER = "_member"


def static(*, default: Any = dataclasses.MISSING) -> Any:
    """A dataclass field that decides shapes: part of the pytree's structure, not a leaf."""
    return dataclasses.field(default=default, metadata={"static": True})


class Registered:
    """What registers every subclass with its first instance, and names it after its class where it has no name.

    Not sooner: a class may yet be decorated, also by one of JAX's own registrations, which then holds.
    """

    # Whether what has no numbers gets a leaf all the same, so that it can be one of a grid.
    _one_of_a_grid = False

    def __init_subclass__(cls, **options: Any):
        super().__init_subclass__(**options)
        namer = next((kind for kind in cls.__mro__ if "name" in kind.__dict__), None)
        if (namer is None or "_called" in namer.__dict__) and "name" not in inspect.get_annotations(cls):
            cls.name = cls._called = cls.__name__

    def __new__(cls, *_: Any, **__: Any) -> Any:
        _register(cls)
        return super().__new__(cls)


@dataclass_transform(frozen_default=True, field_specifiers=(static, dataclasses.field))
def pytree(cls: _C) -> _C:
    """Class decorator: a frozen dataclass whose fields are leaves, but for those made by `static`."""
    cls = dataclasses.dataclass(frozen=True, eq=False)(cls)
    cls._declared = True  # pyright: ignore[reportAttributeAccessIssue]
    _register(cls)
    return cls


@functools.cache
def _register(cls: type) -> None:
    """Register a class, unless it is."""
    with contextlib.suppress(ValueError):
        jax.tree_util.register_pytree_with_keys(cls, _flatten_with_keys, functools.partial(_unflatten, cls), _flatten)


@functools.cache
def _fields(cls: type) -> tuple[tuple[str, bool | None], ...]:
    """Names of a dataclass's fields, and whether each is a leaf; None: where it holds numbers."""
    if not dataclasses.is_dataclass(cls):
        return ()
    # Leaves whatever they hold, where the class was declared as a pytree.
    declared = {f.name for kind in cls.__mro__ if "_declared" in kind.__dict__ for f in dataclasses.fields(kind)}
    return tuple((field.name, False if field.metadata.get("static") else field.name in declared or None)
                 for field in dataclasses.fields(cls))  # fmt: skip


def _attributes(self: Any) -> list[tuple[str, Any, bool | None]]:
    """Names and values of what an instance consists of, and whether each is a leaf."""
    cls = type(self)
    fields = _fields(cls)
    known = [(name, getattr(self, name), leaf) for name, leaf in fields if hasattr(self, name)]
    if "__dataclass_fields__" in cls.__dict__:
        return known
    # Of a class that is no dataclass itself: also what its own __init__ sets, without caches of those above.
    names = {name for name, _ in fields}
    slots = [name for kind in cls.__mro__ for name in np.atleast_1d(kind.__dict__.get("__slots__", ())).tolist()]
    own = {name: getattr(self, name) for name in slots if hasattr(self, name)} | getattr(self, "__dict__", {})
    kept = [name for name in own if name not in names and not (fields and name.startswith("_"))]
    return known + [(name, own[name], None) for name in kept
                    if not isinstance(getattr(cls, name, None), functools.cached_property)]  # fmt: skip


def _parts(self: Any) -> tuple[list[str], list[Any], tuple]:
    """Names and values of the leaves, and what is structure: the class, the names, the other attributes."""
    names, values, others = [], [], []
    for name, value, leaf in _attributes(self):
        number = value if leaf else _number(value) if leaf is None else _NOTHING
        if number is _NOTHING:
            others.append((name, _Kept.of(value)))
        else:
            names.append(name)
            values.append(number)
    if not names and getattr(type(self), "_one_of_a_grid", False):
        names, values = [_MEMBER], [getattr(self, _MEMBER, np.zeros(()))]
    return names, values, (type(self), tuple(names), tuple(others))


def _flatten(self: Any) -> tuple[tuple, tuple]:
    _, values, structure = _parts(self)
    return tuple(values), structure


def _flatten_with_keys(self: Any) -> tuple[tuple, tuple]:
    names, values, structure = _parts(self)
    return tuple(zip(map(jax.tree_util.GetAttrKey, names), values, strict=True)), structure


def _unflatten(cls: type, structure: tuple, values: Any) -> Any:
    self = object.__new__(cls)  # no checks: leaves may be tracers or placeholders
    _, names, others = structure
    for name, value in zip(names, values, strict=True):
        object.__setattr__(self, name, value)
    for name, value in others:
        object.__setattr__(self, name, value.value if isinstance(value, _Kept) else value)
    return self


def _number(value: Any) -> Any:
    """An attribute that isn't declared: its numbers where it is a leaf or a tree of such, else `_NOTHING`.

    Whole numbers, truth values, text and functions decide shapes and programs.
    """
    if isinstance(value, (bool, int, str, bytes, type)):
        return _NOTHING
    if isinstance(value, (float, np.ndarray, np.generic, jax.Array)) or unknown(value):
        return value
    if isinstance(value, (list, tuple)) or hasattr(value, "__array__"):
        try:
            return number_leaf(value)
        except ValueError:
            pass
    leaves = jax.tree.leaves(value)
    tree = not (len(leaves) == 1 and leaves[0] is value)
    return value if tree and all(_number(leaf) is not _NOTHING for leaf in leaves) else _NOTHING


@dataclasses.dataclass(frozen=True, eq=False)
class _Kept:
    """What can't be compared or hashed, as part of a structure: the same only as itself."""

    value: Any

    @classmethod
    def of(cls, value: Any) -> Any:
        try:
            hash(value)
        except TypeError:
            return cls(value)
        return value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Kept) and self.value is other.value

    def __hash__(self) -> int:
        return id(self.value)
