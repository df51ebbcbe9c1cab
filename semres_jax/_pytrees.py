"""Frozen dataclasses as pytrees: the one way in which spaces and similarities are registered with JAX."""

import dataclasses
from typing import Any, TypeVar, dataclass_transform

import jax

_C = TypeVar("_C", bound=type)


def static(*, default: Any = dataclasses.MISSING) -> Any:
    """A dataclass field that decides shapes: part of the pytree's structure, not a leaf."""
    return dataclasses.field(default=default, metadata={"static": True})


@dataclass_transform(frozen_default=True, field_specifiers=(static, dataclasses.field))
def pytree(cls: _C) -> _C:
    """Class decorator: a frozen dataclass whose fields are leaves, but for those made by `static`.

    Not `jax.tree_util.register_dataclass`: structures made by it compare equal for different classes with the same
    fields (jax 0.10.1 and 0.12.0.1: a circle like an interval, a Gaussian like an exponential), so that jit could, on a
    collision of hashes, run the program compiled for the other class. Here the class is part of the structure.
    """
    cls = dataclasses.dataclass(frozen=True, eq=False)(cls)
    fields: Any = dataclasses.fields(cls)
    leaves = [field.name for field in fields if not field.metadata.get("static")]
    others = [field.name for field in fields if field.metadata.get("static")]

    def flatten(self: Any) -> tuple[tuple, tuple]:
        return tuple(getattr(self, name) for name in leaves), (cls, *(getattr(self, name) for name in others))

    def flatten_with_keys(self: Any) -> tuple[tuple, tuple]:
        values, structure = flatten(self)
        return tuple(zip(map(jax.tree_util.GetAttrKey, leaves), values, strict=True)), structure

    def unflatten(structure: tuple, values: Any) -> Any:
        self = object.__new__(cls)  # no checks: leaves may be tracers or placeholders
        for name, value in (*zip(leaves, values, strict=True), *zip(others, structure[1:], strict=True)):
            object.__setattr__(self, name, value)
        return self

    jax.tree_util.register_pytree_with_keys(cls, flatten_with_keys, unflatten, flatten)
    return cls
