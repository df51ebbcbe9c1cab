"""Short names of what arrays and pytrees hold."""

import hashlib
import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def fingerprint(tree: Any) -> str:
    """A short name of a pytree's content, the same in every process: for what is too large to be kept in settings.

    The width of a number does not count, and functions count by their names. Keys of `jax.random` are what
    `jax.random.key_data` gives.

    Returns:
        16 hexadecimal digits.

    Example:
        >>> import jax, numpy as np
        >>> from semres_jax.storage.fingerprints import fingerprint
        >>> fingerprint({"a": np.float32(0.5)}) == fingerprint({"a": 0.5}) != fingerprint({"a": 0.25})
        True
        >>> fingerprint(jax.random.key(0)) == fingerprint(jax.random.key(1))
        False
    """
    leaves, structure = jax.tree.flatten(tree)
    # Where a function lies in memory differs from process to process.
    digest = hashlib.sha256(re.sub(r" at 0x[0-9a-f]+", "", str(structure)).encode())
    for leaf in leaves:
        if isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.extended):
            leaf = jax.random.key_data(leaf)
        array = np.asarray(leaf)
        wide = array.astype({"f": np.float64, "i": np.int64, "u": np.int64}.get(array.dtype.kind, array.dtype))
        digest.update(f"{wide.dtype.str} {wide.shape} ".encode() + wide.tobytes())
    return digest.hexdigest()[:16]
