"""Host-side checks of what users hand in: one clear line that names the argument, the value and what would do.

`concrete` is the one door: whatever is array-like comes out as real numbers in NumPy, or is refused. Pytrees are
rebuilt with tracers and placeholders for leaves, so these alone pass unchecked.
"""

import numbers
from collections.abc import Iterator, Mapping, Set
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import AbstractValue, Tracer

# What JAX puts in the place of a number; so does a bare `object()`.
_PLACEHOLDERS = (
    Tracer,
    type(None),
    AbstractValue,
    jax.ShapeDtypeStruct,
    jax.sharding.Sharding,
    jax.sharding.PartitionSpec,
    jax.custom_derivatives.SymbolicZero,
)
_LONGEST_SHOWN = 80


def brief(value: Any) -> str:
    """A value for a message: in one line, however large."""
    text = " ".join(repr(value).split())
    return text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 3] + "..."


def concrete(value: Any, name: str = "what is given") -> np.ndarray | None:
    """`value` as a NumPy array of real numbers, None where it is known to JAX's tracing only (or is a placeholder).

    Integers and floats of 32 and 64 bits keep their kind; others become float32 or float64, whichever holds them.
    Entries may be NaN or infinite.

    Raises:
        ValueError: text, objects that are no numbers, missing entries, imaginary parts, units, sparse matrices,
            iterators, rows of different lengths: `name` is said, and what would do.
    """
    if type(value) in (float, int, bool) or (type(value) is np.ndarray and value.dtype in (np.float64, np.float32)):
        return np.asarray(value, np.result_type(value))
    if unknown(value):
        return None
    if isinstance(value, jax.Array) and not value.is_fully_addressable:
        return None  # other hosts have parts of it
    return _real(_as_numpy(value, name), name)


def unknown(value: Any) -> bool:
    """Whether a value is a tracer or a placeholder, or a list or tuple with one of them in it."""
    if isinstance(value, (list, tuple)):
        return any(map(unknown, value)) and not any(x is None for x in value)  # None in a list is a missing number
    return isinstance(value, _PLACEHOLDERS) or type(value) is object


def refuse_traced(what: str, *trees: Any) -> None:
    """Raise `TypeError` where any leaf of what a host-side function got is traced."""
    if any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(trees)):
        raise TypeError(
            f"{what} can't be traced by jit, vmap or grad: it works on the host, in as many steps as it takes; call it "
            "outside of them, in a loop over keys or with a grid of resolutions (semres_jax.accuracy can be traced)"
        )


def number_leaf(value: Any, name: str = "what is given") -> Any:
    """A leaf as it is stored: host numbers as float64 NumPy (so no digit is lost before a precision is chosen).

    Floats of 32 bits and JAX's arrays stay what they are. Raises as `concrete`.
    """
    if isinstance(value, (list, tuple)) and unknown(value):
        return jnp.asarray(value) if any(isinstance(x, Tracer) for x in jax.tree.leaves(value)) else value
    array = concrete(value, name)
    if array is None:
        return value
    if isinstance(value, jax.Array) and array.dtype == value.dtype:
        return value
    return array.astype(np.float64) if array.dtype.kind in "biu" else array


def _as_numpy(value: Any, name: str) -> np.ndarray:
    """Whatever is array-like as a NumPy array of any kind."""
    kind = type(value).__name__
    if isinstance(value, (str, bytes)):
        raise ValueError(f"{name} must be numbers; got the text {brief(value)}")
    if isinstance(value, (Iterator, Mapping, Set)):
        raise ValueError(f"{name} must be numbers in an array or a list; got {kind}, without an order to rely on")
    if hasattr(value, "toarray") and hasattr(value, "nnz"):
        raise ValueError(f"{name} must be an array with all its entries; got a sparse {kind} (use its .toarray())")
    for unit, plain in (("unit", "value"), ("units", "magnitude")):
        if hasattr(value, unit) and hasattr(value, plain):
            raise ValueError(
                f"{name} must be plain numbers; got a quantity in {getattr(value, unit)} (give its .{plain}, in the "
                "unit of everything else)"
            )
    if isinstance(value, np.ma.MaskedArray):
        count = int(np.ma.count_masked(value))
        if count:
            raise ValueError(f"{name} must have no missing entries; got {count} that are masked")
        value = value.data
    if isinstance(value, (list, tuple)) and any(isinstance(x, np.ma.MaskedArray) for x in value):
        raise ValueError(f"{name} must be one array; got a {kind} with masked arrays in it (use np.ma.stack)")
    if hasattr(value, "detach") and hasattr(value, "cpu"):  # of torch
        value = value.detach().cpu()  # pyright: ignore[reportAttributeAccessIssue]
        value = value.float() if "float16" in str(value.dtype) or "float8" in str(value.dtype) else value
    if isinstance(value, jax.Array) and jnp.issubdtype(value.dtype, jax.dtypes.extended):
        raise ValueError(f"{name} must be numbers; got a random key")
    try:
        return np.asarray(value)
    except Exception as error:  # ragged lists, deleted arrays, and whatever an __array__ raises
        reason = " ".join(str(error).split())
        what = "rows of different lengths" if "inhomogeneous" in reason else f"{kind}: {reason[:120]}"
        raise ValueError(f"{name} must be an array of numbers; got {what}") from None


def _real(array: Any, name: str) -> np.ndarray:
    """An array of any kind as real numbers."""
    if array.dtype.kind == "O":
        array = _of_objects(array, name)
    if array.dtype.kind == "c":
        if array.imag.any():  # NaN, too
            first = array[array.imag != 0].flat[0]
            raise ValueError(f"{name} must be real numbers; got the complex {first:g}")
        array = array.real
    kind = array.dtype.kind
    if kind in "biu" or (kind == "f" and array.dtype.itemsize in (4, 8)):
        return np.asarray(array, array.dtype.newbyteorder("="))
    if kind == "f" or (kind == "V" and jnp.issubdtype(array.dtype, np.number)):  # also bfloat16, float8, int4
        return array.astype(np.float64 if array.dtype.itemsize > 2 else np.float32)
    if kind in "USTa":
        raise ValueError(f"{name} must be numbers; got text, such as {str(array.flat[0] if array.size else '')!r}")
    raise ValueError(f"{name} must be numbers; got entries of the kind {array.dtype}")


def _of_objects(array: np.ndarray, name: str) -> np.ndarray:
    """An array of Python's objects as float64 or complex, where all are numbers."""
    entries: list[Any] = []
    for entry in array.ravel().tolist():
        if entry is None or type(entry).__name__ in ("NAType", "NaTType", "MaskedConstant"):
            raise ValueError(f"{name} must have no missing entries; got {entry!r}")
        if isinstance(entry, numbers.Complex) and not isinstance(entry, numbers.Real):
            entries.append(complex(entry))
            continue
        shape = getattr(entry, "shape", ())
        if isinstance(entry, (str, bytes)) or not hasattr(entry, "__float__") or shape != ():
            raise ValueError(f"{name} must be numbers; got {brief(entry)} among them")
        entries.append(float(entry))
    return np.array(entries, complex if any(isinstance(x, complex) for x in entries) else float).reshape(array.shape)


def require(name: str, value: Any, low: float, high: float, what: str) -> None:
    """Raise `ValueError` unless every concrete entry of `value` is finite and in [low, high]."""
    array = concrete(value, name)
    if array is None:
        return
    bad = ~((array >= low) & (array <= high) & np.isfinite(array))
    if bad.any():
        raise ValueError(f"{name} must be {what}; got {array[bad].flat[0]:g}")


def require_count(name: str, value: Any, low: int, what: str = "") -> int:
    """`value` as an int of at least `low`, or a `ValueError` that says so."""
    if isinstance(value, Tracer):
        raise ValueError(f"{name} must be known when a function is traced: it decides shapes (static_argnames)")
    number: Any = value.item() if isinstance(value, (np.ndarray, np.generic, jax.Array)) and value.size == 1 else value
    whole = isinstance(number, (int, float)) and not isinstance(number, bool) and float(number).is_integer()
    if not whole:
        raise ValueError(f"{name} must be a whole number of at least {low}{what}; got {brief(value)}")
    if number < low:
        raise ValueError(f"{name} must be at least {low}{what}; got {number:g}")
    return int(number)


def require_among(name: str, value: Any, words: tuple[str, ...]) -> None:
    """Raise `ValueError` unless `value` is one of these words."""
    if not isinstance(value, str) or value not in words:
        raise ValueError(f"{name} must be one of {', '.join(words)}; got {brief(value)}")


def require_items(n: Any) -> int:
    """The number of items as an int, or a `ValueError`."""
    return require_count("n", n, 2, " (the probe needs items to choose from)")


def require_exponent(exponent: Any) -> np.ndarray | None:
    """The Luce exponent where it is known, or a `ValueError`."""
    known = concrete(exponent, "exponent")
    if exponent is None or (known is not None and (known.ndim or not known >= 0)):
        raise ValueError(f"exponent must be one number, at least 0; got {brief(exponent)}")
    return known
