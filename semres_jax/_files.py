"""Files that users bring: the one door through which text is read, and what is said of what isn't what it seems.

Readers of binary formats call `require_file` and `refuse_pointer` before they open anything; readers of text call
`text_of`; and what a file calls its parts is shown through `shown`.
"""

import difflib
import gzip
import io
import os
import unicodedata
import zlib
from collections.abc import Iterable
from pathlib import Path

# How the files begin that Git LFS and git-annex leave in place of large ones, and what brings those.
_POINTERS = {
    b"version https://git-lfs.github.com/spec/": ("Git LFS", "git lfs pull"),
    b"/annex/objects/": ("git-annex", "git annex get"),
}
# Text that is compressed in a file: more is taken for an attack on memory.
MOST_UNPACKED = 2**27
# Numbers hardly ever shrink to a hundredth; what does, and is large, is made to fill memory.
_MOST_TIMES = 100
_LONGEST_SHOWN = 200


def require_file(path: str | os.PathLike[str], what: str) -> Path:
    """The path of something that can be read: a file, or a pipe such as a shell's process substitution.

    Raises:
        FileNotFoundError: nothing is there; `what` says what it should have been, as "Newick file".
        ValueError: a folder, or a name that no file can have.
    """
    path = Path(path)
    try:
        there, folder = path.exists(), path.is_dir()
    except (OSError, ValueError) as error:  # names too long, null bytes, folders that can't be entered
        reason = getattr(error, "strerror", None) or error
        raise ValueError(f"cannot look at the {what} {shown(path)!r}: {reason}") from None
    if folder:
        raise ValueError(f"the {what} {shown(path)!r} is a folder; give a file")
    if not there:
        raise FileNotFoundError(f"no {what} {shown(path)!r}")
    return path


def refuse_pointer(path: Path, start: bytes | None = None) -> None:
    """Raise `ValueError` where Git LFS or git-annex left a pointer instead of the file.

    Args:
        start: the file's first bytes, where they are read already.
    """
    if start is None:
        try:
            if not path.is_file():  # a pipe can be read once
                return
            with path.open("rb") as file:
                start = file.read(max(map(len, _POINTERS)))
        except OSError:  # whoever reads the file says why
            return
    for beginning, (program, command) in _POINTERS.items():
        if start.startswith(beginning):
            raise ValueError(
                f"{shown(path)!r} is a {program} pointer, not the file itself; run {command!r} in the repository it is "
                "of"
            )


def text_of(path: str | os.PathLike[str], what: str) -> str:
    """The text of a file in UTF-8 (or in UTF-16 with a byte order mark), gzipped or not, whatever ends its lines.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a folder, a file that may not be read, a Git LFS pointer, bytes that are no text in UTF-8, a broken
            or endless gzip file; each names the file.
    """
    path = require_file(path, what)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ValueError(f"cannot read the {what} {shown(path)!r}: {error.strerror or error}") from None
    refuse_pointer(path, content)
    if content.startswith(b"\x1f\x8b"):
        content = _unpacked(content, path)
    wide = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        text = content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ValueError(
            f"{shown(path)!r} is no text in UTF-8 (line {line} has the byte 0x{content[error.start]:02x}); save it in "
            "UTF-8"
        ) from None
    if "\0" in text:
        raise ValueError(f"{shown(path)!r} holds null bytes, so it is no text in UTF-8; give the {what} as text")
    return io.IncrementalNewlineDecoder(None, translate=True).decode(text, final=True)


def _unpacked(content: bytes, path: Path) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
            unpacked = file.read(MOST_UNPACKED + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{shown(path)!r} is a broken gzip file: {' '.join(str(error).split())}") from None
    if len(unpacked) > MOST_UNPACKED:
        raise ValueError(f"{shown(path)!r} unpacks to more than {MOST_UNPACKED // 2**20} MiB; give it unpacked")
    return unpacked


def refuse_bomb(where: str, packed: int, unpacked: int) -> None:
    """Raise `ValueError` where a part of a file unpacks to far more than it takes, and to much."""
    if unpacked > max(MOST_UNPACKED, _MOST_TIMES * packed):
        raise ValueError(
            f"{where} unpacks to {unpacked} bytes from {packed}, which looks like an attack on memory; give it unpacked"
        )


def shown(name: object, longest: int = _LONGEST_SHOWN) -> str:
    """A name from outside as messages, tables and pictures may show it: no control characters; cut in its middle.

    Example:
        >>> from semres_jax._files import shown
        >>> shown("cat\\x1b[31m\\n")
        'cat\\\\x1b[31m\\\\n'
    """
    text = str(name)
    text = "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)
    return text if len(text) <= longest else f"{text[: longest // 2 - 1]}..{text[1 - longest // 2 :]}"


def composed(name: str) -> str:
    """A name in Unicode's composed form (NFC), in which names of files and leaves are compared."""
    return unicodedata.normalize("NFC", name)


def there_are(word: str, names: Iterable[str]) -> str:
    """The end of a message about an unknown name: the nearest that there is, and all.

    Example:
        >>> from semres_jax._files import there_are
        >>> there_are("linaer", ["constant", "linear"]), there_are("?", ["constant", "linear"])
        ("did you mean 'linear'? There are constant, linear", 'there are constant, linear')
    """
    names = list(names)
    near = difflib.get_close_matches(word, names, n=1)
    return f"did you mean {near[0]!r}? There are {', '.join(names)}" if near else f"there are {', '.join(names)}"
