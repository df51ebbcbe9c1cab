"""What a long run keeps: whole, its own, and the same in every process; everything else is refused in a line."""

import errno
import os

import numpy as np
import pytest

from semres_jax import spaces
from semres_jax.storage import results, resume
from semres_jax.storage.fingerprints import fingerprint
from semres_jax.storage.resume import Saved

SETTINGS = {"trials": 7, "n": [2, 3], "space": {"circle": "0a"}}
NUMBERS = {"p_s": np.linspace(0, 1, 6).reshape(2, 3), "trials": np.array(7), "note": np.array("no exact law")}


@pytest.fixture
def path(tmp_path):
    """A file with one finished cell."""
    with Saved(tmp_path / "run.state") as kept:
        kept.open(SETTINGS)
        kept.finish("a, n = 2", NUMBERS | {"none": np.zeros((0, 3), np.int32)})
    return tmp_path / "run.state"


@pytest.fixture
def at_once(monkeypatch):
    monkeypatch.setattr(resume, "SECONDS_BETWEEN_WRITES", 0.0)
    monkeypatch.setattr(resume, "_MOST_SPENT_WRITING", np.inf)


def test_what_is_finished_comes_back(path):
    said = []
    again = Saved(path, resume=True, begins=said.append)
    again.open(SETTINGS)
    there = again.finished("a, n = 2")
    assert said == ["unfinished"]
    for name, array in NUMBERS.items():
        np.testing.assert_array_equal(there[name], array)
        assert there[name].dtype == array.dtype
    assert there["none"].shape == (0, 3)
    assert again.finished("b") is again.running("a, n = 2") is None


def test_accumulators_are_kept_until_the_cell_is_finished(path, at_once):
    again = Saved(path, resume=True)
    again.open(SETTINGS)
    again.keep("b", lambda: {"sum": np.arange(3)})
    third = Saved(path, resume=True)
    third.open(SETTINGS)
    assert third.running("b")["sum"].tolist() == [0, 1, 2]
    assert third.finished("a, n = 2") is not None
    third.finish("b", {"p_s": np.ones(1)})
    third.complete()
    said = []
    last = Saved(path, resume=True, begins=said.append)
    last.open(SETTINGS)
    assert last.running("b") is None
    assert said == ["complete"]
    assert last.seconds >= third.seconds - 1


def test_it_is_written_every_few_seconds(tmp_path):
    with Saved(tmp_path / "run.state") as kept:
        kept.open(SETTINGS)
        kept.keep("a", lambda: pytest.fail("too soon"))
        kept.finish("a", NUMBERS)
        assert [path.name for path in tmp_path.iterdir()] == [".semres-lock-run.state"]  # nothing but that it is in use
    assert [path.name for path in tmp_path.iterdir()] == ["run.state"]


def test_every_truncation_and_every_changed_bit_is_refused(path):
    content, rng = path.read_bytes(), np.random.default_rng(0)
    torn = [content[:size] for size in {0, 1, 5, 13, 20, 90, *rng.integers(14, len(content), 40).tolist()}]
    for at in rng.integers(len(b"semres-state "), len(content), 40):
        changed = bytearray(content)
        changed[at] ^= 1 << int(rng.integers(8))
        torn.append(bytes(changed))
    for broken in [*torn, content + b"x"]:
        path.write_bytes(broken)
        with pytest.raises(ValueError, match=r"run\.state' (is broken|has format)") as refused:
            Saved(path, resume=True)
        assert "\n" not in str(refused.value)
        assert path.read_bytes() == broken
    said = []
    Saved(path, begins=said.append).open(SETTINGS)  # anew, that is
    assert said == ["broken"]


@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize("content", [b"hello", b"PK\x03\x04", b"\x89HDF\r\n", b"semres state\n"])
def test_files_of_others_are_never_replaced(path, content, resume):
    path.write_bytes(content)
    with pytest.raises(ValueError, match="is no state of a run; move it away, or name another folder"):
        Saved(path, resume=resume)
    assert path.read_bytes() == content


def test_a_folder_in_its_place_and_a_newer_format(path):
    with pytest.raises(ValueError, match="can't be read: is a directory"):
        Saved(path.parent, resume=True)
    path.write_bytes(path.read_bytes().replace(b"semres-state 1 ", b"semres-state 2 "))
    with pytest.raises(ValueError, match=r"has format 2, .* reads 1 .* leave out resume"):
        Saved(path, resume=True)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"trials": 8}, r"trials = 8: .*run\.state' was made with 7 \(give the same, or another folder"),
        ({"n": [2, 4]}, r"n\[1\] = 4: .* made with 3"),
        ({"n": [2]}, r"n = \[2\]: .* made with \[2, 3\]"),
        ({"space": {"circle": "0b"}}, r'space: circle = "0b": .* made with "0a"'),
        ({"space": {"torus": "0a"}}, r'space: torus = "0a": .* made with nothing'),
        ({"floor": np.array(0.1)}, r"floor = 0\.1: .* made with nothing"),
    ],
)
def test_another_run_is_refused(path, changed, message):
    content = path.read_bytes()
    again = Saved(path, resume=True, begins=lambda _: pytest.fail("it began"))
    with pytest.raises(ValueError, match=f"can't resume with {message}"):
        again.open(SETTINGS | changed)
    assert not again.opened
    assert path.read_bytes() == content


def test_another_version_is_refused(path, monkeypatch):
    monkeypatch.setattr(resume, "__version__", "99.0")
    with pytest.raises(ValueError, match=r'semres_jax = "99\.0"'):
        Saved(path, resume=True).open(SETTINGS)


def test_stopping_at_once_leaves_what_would_have_been_replaced(path):
    """Who forgot to resume can still."""
    content = path.read_bytes()

    def stopped():
        with Saved(path) as kept:
            kept.open(SETTINGS)
            kept.finish("a, n = 2", NUMBERS)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert path.read_bytes() == content


def test_a_full_disk_leaves_what_was_written(path, at_once, monkeypatch):
    content, shown = path.read_bytes(), []

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def run():
        with Saved(path, resume=True, results=shown.append) as kept:
            kept.open(SETTINGS)
            monkeypatch.setattr(os, "replace", full)
            kept.finish("b", NUMBERS, "table")

    with pytest.raises(results.Unwritable, match=r"cannot write .*run\.state': no space left on device") as said:
        run()
    assert "\n" not in str(said.value)
    assert path.read_bytes() == content
    assert list(path.parent.iterdir()) == [path]
    assert shown == []


def test_objects_are_no_numbers(path, at_once):
    again = Saved(path, resume=True)
    again.open(SETTINGS)
    with pytest.raises(TypeError, match="only numbers and strings can be kept; x of b"):
        again.finish("b", {"x": np.array([None])})


def test_other_processes_know_what_the_first_one_read(path, monkeypatch):
    """Two processes, one after the other: the second has no file."""
    sent = []

    def first(array):
        sent.append(array)
        return [array, np.zeros_like(array)]

    def second(array):
        there = sent.pop(0)
        return [there, np.resize(array, there.shape)]

    hosts = resume.processes
    monkeypatch.setattr(hosts, "hosts", lambda: (0, 2))
    monkeypatch.setattr(hosts, "gather", first)
    Saved(path, resume=True)
    monkeypatch.setattr(hosts, "hosts", lambda: (1, 2))
    monkeypatch.setattr(hosts, "gather", second)
    other = Saved(path.parent / "elsewhere" / "run.state", resume=True)
    other.open(SETTINGS)
    np.testing.assert_array_equal(other.finished("a, n = 2")["p_s"], NUMBERS["p_s"])
    monkeypatch.setattr(resume, "SECONDS_BETWEEN_WRITES", 0.0)
    other.finish("b", NUMBERS)  # and it writes nothing
    other.complete()
    path.write_bytes(b"hello")
    monkeypatch.setattr(hosts, "hosts", lambda: (0, 2))
    monkeypatch.setattr(hosts, "gather", first)
    for gather, host in ((first, 0), (second, 1)):
        monkeypatch.setattr(hosts, "hosts", lambda host=host: (host, 2))
        monkeypatch.setattr(hosts, "gather", gather)
        with pytest.raises(ValueError, match="is no state of a run"):
            Saved(path if host == 0 else path.parent / "elsewhere" / "run.state", resume=True)


def test_fingerprints_tell_spaces_apart():
    points = np.random.default_rng(0).random((5, 2))
    finite = [spaces.Finite.from_points(p, "euclidean") for p in (points, points, points + 1e-9 * points[::-1])]
    prints = [fingerprint(space) for space in [*finite, spaces.Torus(2), spaces.Torus(3), spaces.Circle()]]
    assert prints[0] == prints[1]
    assert len(set(prints)) == 5
