"""How much memory there is, asked before something large is made: a line instead of a process killed by the machine."""

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

# Limits of control groups, use, and the line of memory.stat that counts what the kernel gives back: versions 2 and 1.
_VERSIONS = (
    ("memory.max", "memory.current", "inactive_file"),
    ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)


def available(root: Path = Path("/")) -> int | None:
    """Bytes that this process can still take, or None where the system doesn't say.

    The least of what the kernel calls available, what each control group of the process leaves (version 1 or 2, as in
    containers and jobs of a cluster) and what `ulimit -v` leaves.

    Args:
        root: where /proc and /sys are.
    """
    rooms = [room for room in (_kernel(root), *_groups(root), _address_space(root)) if room is not None]
    return max(0, min(rooms)) if rooms else None


def require(count: int, what: str) -> None:
    """Raise `ValueError` unless `count` bytes can be had.

    Args:
        what: what needs them, in the plural, as "20000 stimuli".

    Raises:
        ValueError: one line with what is needed and what there is.

    Example:
        >>> from semres_jax import _memory
        >>> _memory.require(1000, "5 stimuli")
    """
    room = available()
    if room is not None and count > room:
        raise ValueError(f"{what} need {_size(count)} of memory; there are {_size(room)}; take fewer or more memory")


def _size(count: int) -> str:
    return f"{count / 1e9:,.1f} GB" if count >= 1e8 else f"{count / 1e6:,.1f} MB"


def _kernel(root: Path) -> int | None:
    room = _entry(root / "proc/meminfo", "MemAvailable:")
    if room is not None:
        return room * 1024
    try:  # systems without /proc: what isn't known to be taken
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if root == Path("/") else None
    except (AttributeError, ValueError, OSError):
        return None


def _groups(root: Path) -> Iterator[int]:
    """What the control groups of this process leave, its own and those around it."""
    for line in (_text(root / "proc/self/cgroup") or "").splitlines():
        _, kinds, place = [*line.split(":", 2), "", ""][:3]
        if kinds and "memory" not in kinds.split(","):
            continue
        mount = root / "sys/fs/cgroup" / ("memory" if kinds else "")
        limit_name, use_name, given_back = _VERSIONS[bool(kinds)]
        inside = PurePosixPath(place.lstrip("/"))
        for group in (inside, *inside.parents):
            limit, use = _number(mount / group / limit_name), _number(mount / group / use_name)
            if limit is not None and use is not None:
                yield limit - use + (_entry(mount / group / "memory.stat", given_back) or 0)


def _address_space(root: Path) -> int | None:
    try:
        import resource  # not on Windows

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        if limit == resource.RLIM_INFINITY:
            return None
        pages = (_text(root / "proc/self/statm") or "0").split()[0]
        return limit - int(pages) * os.sysconf("SC_PAGE_SIZE")
    except (ImportError, AttributeError, ValueError, OSError):
        return None


def _entry(path: Path, key: str) -> int | None:
    """The number after `key` in a file of such lines."""
    for line in (_text(path) or "").splitlines():
        words = line.split()
        if len(words) > 1 and words[0] == key and words[1].isdecimal():
            return int(words[1])
    return None


def _number(path: Path) -> int | None:
    text = (_text(path) or "").strip()
    return int(text) if text.isdecimal() else None  # "max" is no limit


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except (OSError, ValueError):
        return None
