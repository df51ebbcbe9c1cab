"""Arrays of .safetensors files, by the package safetensors: opened without reading, told by name what can't be read."""

import os
from pathlib import Path
from typing import Any

import numpy as np

from semres_jax._files import refuse_pointer, require_file, shown

# Kinds of numbers that NumPy has, bfloat16 among them (by ml_dtypes, which comes with JAX).
KINDS = ("F64", "F32", "F16", "BF16", "I64", "I32", "I16", "I8", "U64", "U32", "U16", "U8", "BOOL")


def opened(path: str | os.PathLike[str], what: str) -> Any:
    """The open file, of which only the header has been read.

    Raises:
        FileNotFoundError: no such file.
        ImportError: the package safetensors is missing.
        ValueError: a Git LFS pointer, truncated, corrupt.
    """
    path = require_file(Path(path), what)
    refuse_pointer(path)
    try:
        from safetensors import SafetensorError, safe_open
    except ImportError:
        raise ImportError(f"{shown(path)!r} needs the package safetensors: pip install 'semres-jax[weights]'") from None
    try:
        return safe_open(path, framework="np")
    except (SafetensorError, OSError) as error:
        reason = shown(str(error).partition("\n")[0])
        raise ValueError(f"{shown(path)!r} is truncated or corrupt ({reason})") from None


def array(file: Any, name: str, path: str | os.PathLike[str], kinds: tuple[str, ...] = KINDS) -> np.ndarray:
    """One array of a file that `opened` gave.

    Raises:
        ValueError: numbers of a kind that isn't among `kinds`; a damaged entry.
    """
    from safetensors import SafetensorError

    kind = file.get_slice(name).get_dtype()
    if kind not in kinds:
        raise ValueError(
            f"{shown(path)!r} has {shown(name)!r} in numbers of kind {shown(kind)}; must be one of {', '.join(kinds)}"
        )
    try:
        return file.get_tensor(name)
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{shown(path)!r} is truncated or corrupt ({shown(str(error))})") from None
