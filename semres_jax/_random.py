"""NumPy generators out of JAX keys, for what is drawn on the host."""

from typing import Any

import jax
import numpy as np

from semres_jax._checks import brief


def key_or_default(key: Any) -> Any:
    """A JAX key, as `checked_key` makes one; `jax.random.key(0)` for None."""
    return jax.random.key(0) if key is None else checked_key(key)


def checked_key(key: Any) -> Any:
    """A JAX key as it is, that of a seed, or the two words of an old key; `ValueError` for anything else.

    Example:
        >>> import jax
        >>> from semres_jax._random import checked_key
        >>> bool(checked_key(7) == jax.random.key(7))
        True
    """
    if isinstance(key, (int, np.integer)) and not isinstance(key, bool) and 0 <= key < 2**63:
        return jax.random.key(int(key), impl="threefry2x32")
    if isinstance(key, np.ndarray) and key.dtype == np.uint32 and key.shape == (2,):
        key = jax.numpy.asarray(key)
    if isinstance(key, jax.Array):
        typed = jax.numpy.issubdtype(key.dtype, jax.dtypes.prng_key)
        if (key.shape == () and typed) or (key.shape == (2,) and key.dtype == np.uint32):
            return key
        if typed:
            raise ValueError(f"key must be one JAX random key; got an array of them of shape {key.shape}")
    raise ValueError(f"key must be a JAX random key; got {brief(key)} (try jax.random.key(0), or a seed of at least 0)")


def words(key: Any) -> list[int]:
    """The 32-bit words of a key, the lowest first, without a highest of 0: [s] for `jax.random.key(s)`."""
    data = key_or_default(key)
    data = jax.random.key_data(data) if jax.numpy.issubdtype(data.dtype, jax.dtypes.prng_key) else data
    low, *high = (int(word) for word in np.asarray(data)[::-1])
    return [low, *high] if any(high) else [low]


def setting(key: Any) -> dict[str, Any]:
    """A key as what a run is told by: {"seed": s} for `jax.random.key(s)`, the words of others."""
    seed, *more = words(key)
    return {"key": [seed, *more]} if more else {"seed": seed}


def generator(key: Any, *more: int) -> np.random.Generator:
    """NumPy's generator for a key, and for further numbers that tell one use of it from another.

    For `jax.random.key(s)` it is that of `SeedSequence(s)`, or of `SeedSequence([s, *more])`.

    Example:
        >>> import jax, numpy as np
        >>> from semres_jax._random import generator
        >>> bool(generator(jax.random.key(7)).random() == np.random.default_rng(7).random())
        True
    """
    return np.random.default_rng(np.random.SeedSequence([*words(key), *more]))
