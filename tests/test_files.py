"""Text and paths from outside: encodings, gzip, pipes, pointers, names."""

import gzip
import os
import threading

import pytest
from beartype.roar import BeartypeCallHintParamViolation

from semres_jax import _files

TEXT = "(ä:1,\nb:2);\n"


@pytest.mark.parametrize(
    "content",
    [
        TEXT.encode(),
        TEXT.encode("utf-8-sig"),
        TEXT.encode("utf-16"),
        TEXT.replace("\n", "\r\n").encode(),
        TEXT.replace("\n", "\r").encode(),
        gzip.compress(TEXT.encode()),
    ],
    ids=["plain", "bom", "utf16", "crlf", "cr", "gzip"],
)
def test_text_is_read_however_it_was_saved(tmp_path, content):
    path = tmp_path / "tree (1).nwk"
    path.write_bytes(content)
    assert _files.text_of(path, "tree") == TEXT


def test_pipes_are_read(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_text, args=(TEXT,), kwargs={"encoding": "utf-8"})
    writer.start()
    assert _files.text_of(path, "tree") == TEXT
    writer.join()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 9\n", "Git LFS pointer"),
        ("a\nmöwe".encode("latin-1"), "UTF-8.*line 2.*0xf6"),
        (b"a\0b", "null bytes"),
        (gzip.compress(b"abc" * 99)[:-9], "broken gzip"),
        (gzip.compress(bytes(_files.MOST_UNPACKED + 1)), "unpacks to more than 128 MiB"),
    ],
    ids=["pointer", "latin1", "null", "truncated", "bomb"],
)
def test_what_is_no_text_is_refused_by_name(tmp_path, content, words):
    path = tmp_path / "birds.nwk"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=words) as refusal:
        _files.text_of(path, "tree")
    assert "birds.nwk" in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("name", ["missing.nwk", "x" * 300, "a\0b"])
def test_what_is_not_there_is_said_in_a_line(tmp_path, name):
    with pytest.raises((ValueError, FileNotFoundError), match="tree '") as refusal:
        _files.text_of(tmp_path / name, "tree")
    assert len(str(refusal.value).splitlines()) == 1


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(ValueError, match="is a folder"):
        _files.text_of(tmp_path, "tree")


def test_names_are_shown_without_control_characters():
    assert _files.shown("a\x1b]0;x\x07\u202eb\ud800") == r"a\x1b]0;x\x07\u202eb\ud800"
    assert len(_files.shown("y" * 1000)) == 200


def test_annotations_are_checked_in_tests():
    with pytest.raises(BeartypeCallHintParamViolation, match="longest"):
        _files.shown("y", longest="8")  # pyright: ignore[reportArgumentType]
