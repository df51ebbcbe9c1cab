"""`semres measure llm --endpoint`: answers are kept, keys are written nowhere, and what is no number ends it."""

import itertools
import json
import math

import numpy as np
import pytest
import xarray

from semres_jax import cli, plots
from tests.measure.fake_servers import serving, words, worth

for package in ("httpx", "tenacity"):
    pytest.importorskip(package, reason=f"{package} is not installed: scripts/setup llm")

from semres_jax.measure.language.backends import _address, _requests  # noqa: E402

WORDS = ("--task", "pairs,items", "--n", "2,3", "--offsets", "20,200", "--template", "completion", "--prompts", "64")
SECRET = "sk-Zz91-never-shown"


@pytest.fixture(autouse=True)
def surroundings(monkeypatch):
    for name in (*_address.KEYS, "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(_requests, "FIRST", 0.01)
    monkeypatch.setattr(plots, "save_measure_llm", lambda table, folder: [])


def run(answer, folder, *more, seen=None, url="{}"):
    """The exit code."""
    with serving(answer, seen) as at:
        endpoint = ["--endpoint", url.format(at)]
        return cli.main(["measure", "llm", *endpoint, *WORDS, "--no-likelihood", "--out", str(folder), *more])


def scored(seen):
    """The texts that were scored."""
    return [request.content["prompt"] for request in seen if "echo" in request.content and "born" in str(request)]


def dies_after(count, answer=None):
    """A server that is gone after so many completions."""
    completions, answer = itertools.count(), answer or words()

    def body(path, content):
        return (None, "") if "born" in str(content) and next(completions) >= count else answer(path, content)

    return body


def test_a_resumed_run_asks_the_rest_only(tmp_path, capsys):
    whole, first, rest, tokenized = [], [], [], []
    assert run(words(), tmp_path / "whole", seen=whole) == 0
    assert run(dies_after(41), tmp_path / "part", "--served", "m") == 2
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1
    assert printed.endswith("what was answered is kept, --resume goes on\n")
    assert run(dies_after(20), tmp_path / "part", "--resume", seen=first) == 2
    assert run(words(), tmp_path / "part", "--resume", seen=rest) == 0
    assert "the server is at http" in capsys.readouterr().err
    texts = scored(whole)
    assert len(set(texts)) == len(texts)
    # Up to four prompts, of two or three names, were being asked when the server died.
    assert len(scored(rest)) <= len(texts) - (41 - 12) - (20 - 12)
    assert set(scored(rest)) < set(texts)
    tokenized = [request for request in rest if request.path == "/tokenize"]
    assert tokenized == []
    with (
        xarray.open_dataset(tmp_path / "whole" / "measure.nc", engine="h5netcdf") as unbroken,
        xarray.open_dataset(tmp_path / "part" / "measure.nc", engine="h5netcdf") as other,
    ):
        for name in unbroken:
            np.testing.assert_array_equal(unbroken[name], other[name], err_msg=str(name))
    again = []
    assert run(words(), tmp_path / "part", "--resume", seen=again) == 0
    assert scored(again) == []


def test_another_model_or_other_settings_are_told(tmp_path, capsys):
    assert run(dies_after(30), tmp_path) == 2
    before = (tmp_path / "measure.state").read_bytes()
    capsys.readouterr()
    for answer, more, message in (
        (words(model="other"), [], 'can\'t resume with model = "other"'),
        (words(), ["--seed", "3"], "can't resume with seed = 3"),
        (words(), ["--prompts", "80"], "can't resume with prompts = 80"),
    ):
        assert run(answer, tmp_path, "--resume", *more) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1
    assert (tmp_path / "measure.state").read_bytes() == before


def test_a_server_without_ways_to_tokens_but_its_echo(tmp_path):
    """Names are taken once, and a resumed run asks for no tokens of them again."""
    rest = []
    assert run(dies_after(10, words(tokenize=None)), tmp_path) == 2
    assert run(words(tokenize=None), tmp_path, "--resume", seen=rest) == 0
    assert len([request for request in rest if "echo" in request.content]) - len(scored(rest)) == 1


def test_keys_and_passwords_are_written_nowhere(tmp_path, capsys, monkeypatch):
    def guarded(path, body):
        return words()(path, body)

    monkeypatch.setenv("SEMRES_API_KEY", SECRET)
    seen, more = [], []
    assert run(guarded, tmp_path / "key", seen=seen, url="{}/v1/chat/completions?token=" + SECRET) == 0
    assert {request.headers["Authorization"] for request in seen} == {f"Bearer {SECRET}"}
    with serving(guarded, more) as at:
        url = at.replace("//", f"//ann:{SECRET}@")
        words_given = ["measure", "llm", f"--endpoint={url}", *WORDS, "--no-likelihood", "--json"]
        assert cli.main([*words_given, "--out", str(tmp_path / "password")]) == 0
    assert all(request.headers["Authorization"].startswith("Basic ") for request in more)
    printed = capsys.readouterr()
    assert SECRET not in printed.out + printed.err
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) == 6
    assert not any(SECRET.encode() in path.read_bytes() for path in files)
    command = json.loads((tmp_path / "password" / "measure.json").read_text())["command"]
    assert f"--endpoint={at}" in command


def test_the_help_says_where_keys_are_taken_from(capsys):
    assert cli.main(["measure", "llm", "--help"]) == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in _address.KEYS)


def changing(change):
    """A server that changes log-probabilities of the last name, where the text has years."""

    def values(tokens, log_probs):
        here = len(tokens) - 2
        return [change(tokens[here]) if k == here and " born" in tokens else v for k, v in enumerate(log_probs)]

    return words(values)


@pytest.mark.parametrize("value", [math.nan, math.inf, None, "x"])
def test_what_is_no_number_ends_the_command(value, tmp_path, capsys):
    assert run(changing(lambda name: value if len(name) == 5 else worth(name)), tmp_path) == 2
    printed = capsys.readouterr()
    assert printed.err.count("\n") == 1
    assert "for the log-probability of token" in printed.err
    assert printed.out == ""
    assert not (tmp_path / "measure.json").exists()


def test_probabilities_of_zero_are_counted(tmp_path, capsys):
    answer = changing(lambda name: -math.inf if name == " Amy" else worth(name))
    assert run(answer, tmp_path) == 0
    printed = capsys.readouterr().out
    assert "names have a probability of 0" in printed
    assert "nan" not in printed.lower()
    assert run(changing(lambda name: -math.inf), tmp_path / "again") == 2
    assert "a probability of 0 for all names" in capsys.readouterr().err


def test_the_default_folder_is_its_own():
    assert str(cli.parse(["measure", "llm"]).what.out) == "results/measure/llm"
