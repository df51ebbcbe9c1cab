"""0 is a number, and an empty list is one that was given: neither stands for a default, in any command."""

import numpy as np
import pytest

from semres_jax import cli, spaces

TOO_LARGE = str(2**32)
SEEDED = {
    "sweep": ("--epsilon", "0.1"),
    "validate": ("--space", "circle", "--quick"),
    "toy": ("--steps", "2"),
    "resnet": ("--quick",),
    "sprites": ("--quick",),
}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Embeddings, distances and choices, as files."""
    folder = tmp_path_factory.mktemp("model")
    np.save(folder / "points.npy", np.random.default_rng(0).random((20, 4)).astype(np.float32))
    np.save(folder / "distances.npy", np.asarray(spaces.grid(spaces.get("circle"), 20).distances))
    rows = ["distance_1,distance_2,choice", "1,2,1", "3,1,2", "2,5,1"]
    (folder / "choices.csv").write_text("\n".join(rows) + "\n")
    return folder


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["embeddings", "--n", "0"], "n must be at least 2"),
        (["embeddings", "--limit", "0"], "limit must be at least 16; got 0"),
        (["embeddings", "--shares", ""], "shares must ascend"),
        (["choices", "--family", ""], "--family needs at least one name"),
        (["choices", "--bias", ""], "--bias needs at least one name"),
        (["choices", "--level", "0"], "--level must be above 0"),
    ],
)
def test_measure(words, message, model, tmp_path, refusal):
    kind, *more = words
    given = {"embeddings": ["points.npy", "--distances", str(model / "distances.npy"), "--optimal", "none"],
             "choices": ["choices.csv"]}[kind]  # fmt: skip
    out = tmp_path / "out"
    assert message in refusal("measure", kind, str(model / given[0]), *given[1:], *more, "--out", str(out))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["toy", "--test-items", "0"], "--test-items must be at least 2; got 0"),
        (["toy", "--preset", "fig4", "--test-items", "2,1"], "--test-items must be at least 2; got 1"),
        (["toy", "--preset", "fig4", "--steps", "0"], "--steps must be at least 1; got 0"),
        (["resnet", "--alpha", ""], "--alpha needs at least one number"),
        (["resnet", "--epochs", "0"], "--epochs must be at least 1; got 0"),
        (["resnet", "--size", "0"], "--size must be at least 8; got 0"),
        (["sweep", "--n", "0"], "n must be at least 2"),
        (["sweep", "--method", "prng", "--trials", "0"], "--trials must be at least 1; got 0"),
        (["validate", "--n", "", "--space", "circle"], "n must name at least one value"),
        (["validate", "--trials", "0"], "--trials must be at least 1; got 0"),
        (["optimal", "--n", "0"], "n must be at least 2"),
        (["optimal", "--levels", "0"], "levels must be at least 3"),
        (["bench", "--part", ""], "--part needs at least one name"),
    ],
)
def test_other_commands(words, message, tmp_path, refusal):
    assert message in refusal(*words, "--out", str(tmp_path / "out"))


@pytest.mark.parametrize("seed", ["-1", TOO_LARGE])
@pytest.mark.parametrize("command", list(SEEDED))
def test_seeds_that_a_key_cannot_tell_from_others(command, seed, tmp_path, refusal):
    """Keys have 32 bits: 2^32 would be seed 0."""
    message = refusal(command, *SEEDED[command], "--seed", seed, "--out", str(tmp_path / "out"))
    assert f"--seed must be a whole number from 0 to 4294967295; got {seed}" in message
    assert not (tmp_path / "out").exists()


def test_the_largest_seed_and_no_intervals_are_fine(model, tmp_path, capsys):
    assert cli.main(["sweep", "--epsilon", "0.1", "--n", "2", "--seed", "4294967295", "--out", str(tmp_path)]) == 0
