"""Checkpoints on disk: foreign folders are left alone, damage is found, a full disk harms nothing."""

import re
import resource
import shutil
from pathlib import Path

import numpy as np
import pytest

from semres_jax.storage.results import Unwritable
from semres_jax.training import checkpoints
from semres_jax.training.checkpoints import Checkpoints

SETTINGS = {"hidden": 3}
# Larger than what a full disk still takes, below.
BYTES = 4000


def tree(number: int, size: int = 60) -> dict:
    return {"state": [np.arange(size) + number, np.int32(number)], "scores": [np.full((2, 3, 4), number / 7)]}


def same(arrays, other) -> bool:
    return all(np.array_equal(arrays[name][k], other[name][k]) for name in arrays for k in range(len(arrays[name])))


def files(folder: Path) -> dict[Path, tuple[bytes, int]]:
    """Every file with its bytes and when it was written."""
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def made(tmp_path) -> Path:
    """A folder with checkpoints 9 and 12."""
    with Checkpoints(tmp_path / "made", SETTINGS) as kept:
        for number in (5, 9, 12):
            kept.save(number, tree(number))
    return tmp_path / "made"


def restored(folder: Path):
    with Checkpoints(folder, SETTINGS, resume=True) as kept:
        return kept.restore()


def spoil(path: Path, how: str) -> None:
    content = bytearray(path.read_bytes())
    if how == "flipped":
        for place in range(len(content) // 3, len(content), 7):
            content[place] ^= 0x41
    path.write_bytes(content[: len(content) // 2] if how == "cut" else content)


@pytest.mark.thorough(keep=1)
@pytest.mark.parametrize("how", ["cut", "flipped", "gone"])
def test_a_damaged_file_is_never_taken_for_the_real_one(made, tmp_path, how, recwarn):
    """Whichever file of the newest checkpoint: it is restored as it was written, or else the older one is."""
    fell_back = 0
    for path in sorted((made / "12").rglob("*")):
        if not path.is_file():
            continue
        copy = tmp_path / "copy"
        shutil.copytree(made, copy)
        spoiled = copy / path.relative_to(made)
        spoiled.unlink() if how == "gone" else spoil(spoiled, how)
        arrays = restored(copy)
        if not same(arrays, tree(12)):
            fell_back += 1
            assert same(arrays, tree(9)), spoiled
            message = str(recwarn.pop().message)
            assert re.search(r"^checkpoint 12 in '.*' is damaged: .*; going on from 9$", message)
        assert not recwarn.list
        shutil.rmtree(copy)
    assert fell_back >= 4  # metadata, tree, manifest, data


def test_arrays_that_are_not_those_written_are_damage(made):
    """A state from elsewhere, whole in itself: only the sum tells."""
    shutil.rmtree(made / "12" / "default")
    shutil.copytree(made / "9" / "default", made / "12" / "default")
    with Checkpoints(made, SETTINGS, resume=True) as kept:
        with pytest.warns(UserWarning, match=r"12 in .*their fingerprint differs\); going on from 9"):
            assert same(kept.restore(), tree(9))
        kept.save(10, tree(10))  # the damaged one makes way
        assert kept.latest() == 10
        kept.save(12, tree(13))
    assert same(restored(made), tree(13))


def test_without_a_whole_checkpoint_nothing_is_touched(made):
    for number in (9, 12):
        spoil(made / str(number) / "default" / "manifest.ocdbt", "cut")
    before = files(made)
    message = r"checkpoint 12 in '.*' can't be read: .*no other that is whole \(remove the folder to start anew\)$"
    with pytest.raises(ValueError, match=message):
        restored(made)
    assert files(made) == before


@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("thesis.tex", "x", r"holds '7' and no checkpoints of ours; nothing was touched"),
        ("settings.json", '{"editor.tabSize": 4}', r"settings.json' is not of this version's checkpoints"),
        ("settings.json", "[1]", r"settings.json' is not of this version's checkpoints"),
        ("settings.json", '{"made_by": "semr', r"settings.json' is broken; remove its folder"),
    ],
)
def test_a_folder_of_someone_else_is_refused(tmp_path, name, content, message, resume):
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "photo.jpg").write_text("x")
    (tmp_path / name).write_text(content)
    before = files(tmp_path)
    with pytest.raises(ValueError, match=message) as refused:
        Checkpoints(tmp_path, SETTINGS, resume=resume)
    assert "\n" not in str(refused.value)
    assert files(tmp_path) == before
    with pytest.raises(ValueError, match="is a file; name a folder"):
        Checkpoints(tmp_path / name, SETTINGS, resume=resume)


def test_other_settings_are_refused_and_stay_as_they_are(made):
    before = files(made)
    with pytest.raises(ValueError, match=r"can't resume with hidden = 4.* was made with 3"):
        Checkpoints(made, {"hidden": 4}, resume=True)
    assert files(made) == before


def test_what_a_killed_run_left_is_no_obstacle(made, tmp_path):
    early = tmp_path / "early"
    early.mkdir()
    (early / ".settings-12-345.json").write_text('{"hid')
    with Checkpoints(early, SETTINGS, resume=True) as kept:
        assert kept.latest() is None
    shutil.copytree(made / "12", made / "14.orbax-checkpoint-tmp")
    with Checkpoints(made, SETTINGS, resume=True) as kept:
        assert kept.latest() == 12
        assert not list(made.glob("14*"))


def test_to_begin_anew_removes_our_checkpoints_and_nothing_else(made):
    (made / "notes.txt").write_text("mine")
    with Checkpoints(made, {"hidden": 4}) as kept:
        assert kept.latest() is None
    assert {path.name for path in made.iterdir()} == {"notes.txt", "settings.json"}


def test_a_full_disk_is_one_line_and_leaves_the_older_whole(made):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    noise = np.random.default_rng(0).integers(0, 2**60, BYTES)
    with Checkpoints(made, SETTINGS, resume=True) as kept:
        resource.setrlimit(resource.RLIMIT_FSIZE, (BYTES, hard))  # as good as full: writing fails halfway
        try:
            message = r"checkpoint 20 can't be written to '.*': .*; checkpoint 12 is whole \(make room and resume\)$"
            with pytest.raises(Unwritable, match=message):
                kept.save(20, {"state": [noise]})
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert {path.name for path in made.iterdir()} == {"9", "12", "settings.json", ".semres-lock"}
        assert same(kept.restore(), tree(12))
        kept.save(20, tree(20))
    assert same(restored(made), tree(20))


def test_nothing_of_a_refusal_is_left_switched_off(made):
    """Logs and hooks that are quiet while Orbax fails are as before afterwards."""
    import logging
    import sys

    hook = sys.unraisablehook
    with checkpoints._quiet() as refused:
        raise ValueError("first: second [spec='...']")
    assert refused == ["first: second"]
    assert sys.unraisablehook is hook
    assert not logging.getLogger("absl").disabled
