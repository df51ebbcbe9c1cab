"""Runs that are killed while they write, and go on: shared by the tests of what can be resumed."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray

from semres_jax.storage import resume
from semres_jax.storage.resume import Saved

# Wall clock, and what is derived from it.
CLOCK = ("seconds", "trials_per_second")
CLOCK_ATTRIBUTES = ("seconds", "started", "command")


class Killed(BaseException):
    """What nobody catches, as nobody notices a SIGKILL."""


def same_bits(table: xarray.Dataset, other: xarray.Dataset) -> None:
    """Everything but the clock is the same, bit for bit."""
    assert set(table.variables) == set(other.variables)
    for name in set(table.variables) - set(CLOCK):
        a, b = table[name].values, other[name].values
        assert a.dtype == b.dtype, name
        if a.dtype.kind in "fiub":
            assert a.tobytes() == b.tobytes(), name
        else:
            assert a.tolist() == b.tolist(), name
    kept = table.attrs.keys() - set(CLOCK_ATTRIBUTES)
    assert kept == other.attrs.keys() - set(CLOCK_ATTRIBUTES)
    assert {name: table.attrs[name] for name in kept} == {name: other.attrs[name] for name in kept}


def goes_on_from_everywhere(run: Callable[[Saved], xarray.Dataset], path: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """Kill `run` after every single one of its writes: alone, and one after the other in a chain.

    Returns:
        How many writes a run makes: one for each chunk of trials and each cell.
    """
    monkeypatch.setattr(resume, "SECONDS_BETWEEN_WRITES", 0.0)
    monkeypatch.setattr(resume, "_MOST_SPENT_WRITING", np.inf)
    monkeypatch.setattr(os, "fsync", lambda _: None)  # which waits for the disk, and nobody cuts the power here
    write, written = resume.write_bytes, []
    last = np.inf

    def write_and_die(content: bytes, to: Path) -> Path:
        write(content, to)
        written.append(len(content))
        if len(written) == last:
            raise Killed
        return to

    monkeypatch.setattr(resume, "write_bytes", write_and_die)
    expected = run(Saved(path))
    total = len(written)
    for at in range(1, total + 1):
        written.clear()
        last = at
        with pytest.raises(Killed):
            run(Saved(path))
        last = np.inf
        same_bits(run(Saved(path, resume=True)), expected)
        assert len(written) == total, f"after {at} writes something was computed twice, or never"
    path.unlink()
    for _ in range(total):
        written.clear()
        last = 1
        with pytest.raises(Killed):
            run(Saved(path, resume=True))
    written.clear()
    same_bits(run(Saved(path, resume=True)), expected)
    assert written == []
    return total
