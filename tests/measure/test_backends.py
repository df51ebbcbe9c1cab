"""Language models behind one interface: read here, echoed by a server, and step by step with llama.cpp's own."""

import math
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from semres_jax.data import assets
from semres_jax.measure import backends
from semres_jax.networks import language, llama
from tests.measure import fake_servers, llama_server
from tests.networks import test_language, tiny_llamas

for package in ("tokenizers", "gguf", "httpx"):
    pytest.importorskip(package, reason=f"{package} is not installed: scripts/setup llm")

served = pytest.mark.skipif(
    find_spec("xllamacpp") is None, reason="xllamacpp, with llama.cpp's server, is not installed"
)
# Sums of a few log-probabilities in float32.
AGREEMENT = 1e-4
# Ours to transformers' in logits of SmolLM2, of size 30; 1e-4 was found.
LOGITS = 1e-3
# llama.cpp takes gelu from a table of half-precision numbers, right to 2^-11, in seven layers; scores are of size 10.
TABULATED = 10 * 2.0**-11
PROMPTS = ["Anna is the", "Mark and Anna", "In 1860 ", "A", "x Ann"]
CONTINUATIONS = [
    [" Anna", " Mark", "m"],
    [" is the Mark", " the Anna is"],
    ["Anna"],
    [" é ½", "漢", " 12"],
    ["a is", "z"],
]
STRINGS = [
    *PROMPTS,
    "1860-1955\n\n\tMark's  Anna!",
    "naïve 漢字 🙂 ½ x²",
    "<|im_start|>is Anna<|endoftext|>",
    "  ",
    "\r\n a",
]
LONGEST = 16

# Of one sentence: its tokens, and logits {position: {token: logit}}, the likeliest first.
SMOLLM2_TOKENS = [
    788,
    216,
    33,
    40,
    38,
    32,
    28,
    16435,
    365,
    6862,
    216,
    33,
    40,
    37,
    37,
    25,
    284,
    5068,
    1278,
    30,
    6244,
    436,
    3988,
    13039,
    288,
    216,
    33,
    40,
    38,
    32,
    47,
]
SMOLLM2_LOGITS = {
    0: {29: 30.3916, 79: 28.5857, 3805: 24.1416, 45865: 16.8443, 13528: 7.7051},
    15: {436: 15.7761, 314: 15.5716, 753: 9.8791, 19299: -0.0947, 24458: -10.2863},
    30: {2: 23.3587, 198: 21.2479, 28244: 14.2294, 11232: 5.2384, 24622: -3.9328},
}


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> Path:
    return tiny_llamas.write_gguf(tmp_path_factory.mktemp("tiny") / "tiny.gguf", "tied")


@pytest.fixture(scope="module")
def local(file) -> backends.Local:
    return backends.Local(file)


@pytest.fixture(scope="module")
def scores(local) -> list[np.ndarray]:
    return local.score(PROMPTS, CONTINUATIONS)


@pytest.fixture(scope="module")
def smollm2() -> backends.Local:
    try:
        return backends.Local(assets.find("smollm2"))
    except FileNotFoundError as missing:
        pytest.skip(str(missing))


def compare(scored: list[np.ndarray], expected: list[np.ndarray]) -> None:
    assert [len(row) for row in scored] == [len(row) for row in expected]
    np.testing.assert_allclose(np.concatenate(scored), np.concatenate(expected), rtol=0, atol=AGREEMENT)


def test_scores_are_sums_over_the_tokens_after_the_prompt(local, scores):
    for prompt, continuations, row in zip(PROMPTS, CONTINUATIONS, scores, strict=True):
        texts = [local.tokens(prompt + continuation) for continuation in continuations]
        # "In 1860 " + "Anna" has the token " Anna", and "x Ann" + "a is" too: they begin in the prompt.
        first = {"In 1860 ": 7, "x Ann": 1}.get(prompt, len(local.tokens(prompt)))
        filled = np.zeros((3, LONGEST), int)
        for k, text in enumerate(texts):
            filled[k, : len(text)] = text
        logits = np.asarray(llama.logits(local.model.weights, filled), np.float64)
        values = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
        for k, text in enumerate(texts):
            expected = sum(values[k, i - 1, text[i]] for i in range(first, len(text)))
            assert abs(row[k] - expected) < AGREEMENT


def test_what_prompts_are_scored_together_changes_nothing(local, scores):
    seen = []
    repeated = local.score(PROMPTS * 9, CONTINUATIONS * 9, lambda what, done, planned: seen.append((done, planned)))
    compare(repeated, scores * 9)
    assert seen[-1] == (45, 45)


def test_generated_text_is_of_the_likeliest_tokens(local):
    words = local.tokens("Anna is")
    for _ in range(4):
        row = np.zeros((3, LONGEST), int)
        row[0, : len(words)] = words
        words.append(int(np.asarray(llama.logits(local.model.weights, row))[0, len(words) - 1].argmax()))
    assert local.generate(["Anna is"], 4) == [local.model.text(words[-4:])]
    first = llama.next_tokens(local.model.weights, np.array([words[:-4]]), np.array([len(words) - 4]))
    stopping = language.LanguageModel(
        "stops", local.model.weights, local.model.tokenizer, 256, stop=frozenset(np.asarray(first).tolist())
    )
    assert backends.Local(stopping).generate(["Anna is"], 4) == [""]


def test_states_are_those_of_the_token_with_the_character(local):
    texts = ["In 1860 Anna", "Mark", "é"]
    states = local.hidden(texts, [6, -1, 0])
    assert states.shape == (3, 3, 32)
    embedding = np.asarray(local.model.weights.embedding)
    wanted = [local.tokens(texts[0])[6], local.tokens("Mark")[-1], local.tokens("é")[-1]]
    assert local.model.tokenizer.id_to_token(wanted[0]) == "0"
    np.testing.assert_array_equal(states[0], embedding[wanted])
    np.testing.assert_array_equal(local.hidden(texts)[:, 1:], states[:, 1:])
    with pytest.raises(ValueError, match="text 0 has 4 characters; there is none at 4"):
        local.hidden(["Mark"], [4])


def test_an_echoing_server_gives_the_same(local, scores):
    with fake_servers.serving(fake_servers.echoing(local)) as url, backends.Endpoint(f"{url}/v1/") as endpoint:
        assert (endpoint.route, endpoint.name) == ("echo", "tiny")
        compare(endpoint.score(PROMPTS, CONTINUATIONS), scores)
        assert endpoint.generate(["Anna is"], 1) == local.generate(["Anna is"], 1)
        # It has no /tokenize: tokens are those that it echoes.
        for text in PROMPTS:
            assert len(endpoint.tokens(text)) == len(local.tokens(text))
        assert endpoint.tokens("Anna is Anna")[0] == endpoint.tokens("Anna")[0]


@pytest.mark.skipif(
    find_spec("xllamacpp") is None, reason="xllamacpp, which brings llama.cpp's server, is not installed"
)
def test_the_server_of_llama_cpp_gives_the_same(file, local, scores):
    with llama_server.running(file) as url, backends.Endpoint(url) as endpoint:
        assert endpoint.route == "steps"
        assert [endpoint.tokens(text) for text in STRINGS] == [local.tokens(text) for text in STRINGS]
        compare(endpoint.score(PROMPTS, CONTINUATIONS), scores)
        assert endpoint.generate(PROMPTS[:2], 6) == local.generate(PROMPTS[:2], 6)
        url = endpoint.url
    with pytest.raises(ConnectionError, match=r"does not answer .*; is the server running\?"):
        backends.Endpoint(url)


@pytest.mark.thorough
@pytest.mark.skipif(
    find_spec("xllamacpp") is None, reason="xllamacpp, which brings llama.cpp's server, is not installed"
)
def test_a_gemma_on_the_server_of_llama_cpp(tmp_path):
    """Prompts are longer than the window of its local layers."""
    file = tiny_llamas.write_gguf(tmp_path / "gemma.gguf", "gemma")
    ours, texts = backends.Local(file), [*test_language.GEMMA_TEXTS, *STRINGS]
    prompts = ["Anna is Mark is Anna is Mark Anna is the", "Mark\n  Anna"]
    with llama_server.running(file) as url, backends.Endpoint(url) as endpoint:
        assert [endpoint.tokens(text) for text in texts] == [ours.tokens(text) for text in texts]
        for served, scores in zip(*(b.score(prompts, [[" Anna", " is"]] * 2) for b in (endpoint, ours)), strict=True):
            np.testing.assert_allclose(served, scores, rtol=0, atol=TABULATED)


def test_smollm2_is_what_transformers_computes(smollm2):
    """Logits of transformers 5.23.0 with torch 2.13.0, weights from the same file."""
    text = smollm2.tokens("In 1860, Anna (born 1855) and Mark met. Who was born closest to 1860?")
    assert text == SMOLLM2_TOKENS
    logits = np.asarray(llama.logits(smollm2.model.weights, np.array([text])), np.float64)[0]
    for position, expected in SMOLLM2_LOGITS.items():
        np.testing.assert_allclose(logits[position, list(expected)], list(expected.values()), rtol=0, atol=LOGITS)
        assert int(logits[position].argmax()) == next(iter(expected))


@pytest.mark.skipif(
    find_spec("xllamacpp") is None, reason="xllamacpp, which brings llama.cpp's server, is not installed"
)
def test_smollm2_on_the_server_of_llama_cpp(smollm2):
    """There activations are rounded to 8 bits, as weights in 4 bits want it: tokens are the same, scores alike."""
    prompt, cities = "The capital of France is", [" Paris", " London", " Kyoto"]
    with llama_server.running(assets.find("smollm2")) as url, backends.Endpoint(url) as endpoint:
        assert [endpoint.tokens(text) for text in STRINGS] == [smollm2.tokens(text) for text in STRINGS]
        (served,), (ours,) = (backend.score([prompt], [cities]) for backend in (endpoint, smollm2))
    assert list(np.argsort(served)) == list(np.argsort(ours)) == [2, 1, 0]
    assert abs(served[0] - ours[0]) < 0.1 < math.log(2) < ours[0] - ours[1]


def refuses(answer: fake_servers.Answer, *words: str) -> None:
    with fake_servers.serving(answer) as url, pytest.raises((ValueError, ConnectionError)) as caught:
        backends.Endpoint(url)
    said = str(caught.value)
    assert "\n" not in said
    assert said.startswith(f"endpoint '{url}' ")
    assert all(word in said for word in words)


def test_servers_that_can_not_be_used_are_told_in_one_line():
    refuses(fake_servers.log_probs(None), "returns no log-probabilities; llama.cpp's server and vLLM do")
    written_only = {"tokens": [" a"], "token_logprobs": [-1.0], "text_offset": [0]}
    refuses(
        fake_servers.log_probs(written_only), "tells log-probabilities of what it writes only", "must echo the prompt"
    )
    refuses(
        fake_servers.log_probs({"content": [{"id": 7, "logprob": -1.0}]}),
        "refuses /tokenize with status 404: Not Found",
    )
    refuses(lambda path, body: (200, {"error": "x"}), "returns no choices at /v1/completions")
    refuses(lambda path, body: (200, "<html>"), "something else than a JSON object")
    refuses(lambda path, body: (401, '{"error":\n "no key"}'), "status 401", '{"error": "no key"}')


def test_a_token_that_a_server_does_not_tell_is_refused():
    """Biases that count in log-probabilities: only the likeliest tokens can be had."""

    def answer(path: str, body: dict) -> tuple[int, object]:
        if path == "/tokenize":
            return 200, {"tokens": [ord(c) for c in body["content"]]}
        if path == "/v1/models":
            return 404, ""
        listed = [{"id": 98, "logprob": -0.5}, {"id": 99, "logprob": -1.5}]
        chosen = {"id": int(next(iter(body["logit_bias"]))), "logprob": 0.0} if "logit_bias" in body else listed[0]
        return 200, {"choices": [{"text": "b", "logprobs": {"content": [chosen | {"top_logprobs": listed}]}}]}

    with fake_servers.serving(answer) as url, backends.Endpoint(url) as endpoint:
        assert endpoint.name == url
        np.testing.assert_array_equal(endpoint.score(["a", "z"], [["b", "c", "bc"], ["c"]])[0], [-0.5, -1.5, -2.0])
        with pytest.raises(ValueError, match="tells the 20 likeliest tokens only, and token 100 is needed"):
            endpoint.score(["a"], [["b", "d"]])


@pytest.mark.parametrize(
    ("prompt", "continuations", "words"),
    [
        ("", ["a"], r"must not be empty; got '', \['a'\]"),
        ("a", ["b", ""], "must not be empty"),
        ("a", [], "must have a list of one or more continuations"),
        (" A", ["nna", "nn"], "' A' has no token of its own before 'nna'; make it longer"),
        ("a" * 400, ["b"], "a text of 400 tokens; 'tiny.gguf' takes at most 256"),
    ],
)
def test_what_can_not_be_scored(local, prompt, continuations, words):
    with pytest.raises(ValueError, match=words):
        local.score([prompt], [continuations])


def test_prompts_and_continuations_must_be_as_many(local):
    with pytest.raises(ValueError, match="2 prompts and 1 lists of continuations; must be as many"):
        local.score(["a", "b"], [["c"]])
    with pytest.raises(ValueError, match="a prompt is empty"):
        local.generate([""])


def test_one_backend_is_opened(file, monkeypatch, tmp_path):
    assert backends.open_backend(file).name == "tiny.gguf"
    for given in ((None, None), (file, "http://127.0.0.1:1")):
        with pytest.raises(ValueError, match=r"either a model .* or an endpoint"):
            backends.open_backend(*given)
    monkeypatch.setenv("SEMRES_ASSETS", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"'smollm2' is not in .*; scripts/fetch_assets smollm2 fetches it"):
        backends.open_backend("smollm2")
    assets.path("smollm2").write_bytes(b"GGUF")
    with pytest.raises(ValueError, match="has 4 bytes and not 98362432; remove it and run scripts/fetch_assets"):
        backends.open_backend("smollm2")
