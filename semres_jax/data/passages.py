"""Passages of text, one a line: those that ship with the package, or of a file."""

import os
from pathlib import Path

from semres_jax._files import shown, text_of

_SHIPPED = Path(__file__).parent / "austen512.txt"


def passages(path: str | os.PathLike[str] | None = None) -> list[str]:
    """The lines of a text file, without those that are blank.

    Args:
        path: of a file in UTF-8; None: 512 passages of Jane Austen's novels (`data/README.md`).

    Raises:
        FileNotFoundError, ValueError: no such file; no text in UTF-8; nothing in it.

    Example:
        >>> from semres_jax import data
        >>> texts = data.passages()
        >>> len(texts), texts[1][:38]
        (512, 'Having formed her mind and gained her ')
    """
    path = _SHIPPED if path is None else path
    lines = [line.strip() for line in text_of(path, "text file").split("\n")]
    texts = [line for line in lines if line]
    if not texts:
        raise ValueError(f"the text file {shown(path)!r} is empty; give passages of text, one a line")
    return texts
