"""Compiled programs are kept for the next command, without a word, and not across kinds of machines."""

import os
import subprocess
import sys

import pytest

from semres_jax.cli import _programs


def test_a_second_process_finds_the_programs_of_the_first(tmp_path):
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("JAX_", "TF_", "XLA_"))}
    environment |= {"XDG_CACHE_HOME": str(tmp_path / "cache"), "JAX_PLATFORMS": "cpu"}
    script = (
        "import sys; from semres_jax import cli; "
        "code = cli.main(['sweep', '--n', '2', '--method', 'lattice', '--trials', '4096', '--epsilon', '0.1,0.2', "
        f"'--similarity', 'exponential', '--out', {str(tmp_path / 'out')!r}]); sys.exit(code)"
    )
    kept = []
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")
        kept.append({path.name for path in (tmp_path / "cache").rglob("jit_*-cache")})
    # What is compiled anew is kept under another name. Small programs are kept where a machine is busy.
    first, second = ({name for name in names if name.startswith("jit_run")} for names in kept)
    assert first
    assert second == first
    assert kept[1] >= kept[0]


def test_where_jax_is_there_already_nothing_changes(monkeypatch):
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR", raising=False)
    _programs.keep()
    assert "JAX_COMPILATION_CACHE_DIR" not in os.environ


@pytest.mark.parametrize("other", ["processor", "version"])
def test_another_machine_has_another_folder(other, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    here = _programs.folder_of_this_machine()
    if other == "processor":
        monkeypatch.setattr(_programs, "_processor", lambda: "another")
    else:
        monkeypatch.setattr(_programs.metadata, "version", lambda _: "another")
    there = _programs.folder_of_this_machine()
    assert here.parent == there.parent == tmp_path / "semres_jax"
    assert here != there
