"""Language models from folders as Hugging Face has them: config.json, *.safetensors, tokenizer.json."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from semres_jax.networks import llama
from semres_jax.networks.llama import matrices
from semres_jax.networks.llama.language_model import LanguageModel, missing

_DTYPES = ("F64", "F32", "F16", "BF16")


def load(folder: Path) -> LanguageModel:
    """The model of a folder; see `language.load`."""
    file = str(folder)
    config = _json(folder, "config.json")
    kind = config.get("model_type")
    if kind != "llama":
        raise ValueError(
            f"{file!r} is of the architecture {kind!r}, and only 'llama' is evaluated here; "
            "serve it (for example with vLLM) and give --endpoint URL"
        )
    tokenizer = _tokenizer(folder)
    if config.get("quantization_config"):
        raise ValueError(f"{file!r} has quantised weights; give the plain ones, or a GGUF file")
    for name in ("attention_bias", "mlp_bias"):
        if config.get(name):
            raise ValueError(f"{file!r} has {name}, which a plain Llama has not; it can't be evaluated")
    if config.get("hidden_act", "silu") != "silu":
        raise ValueError(f"{file!r} has hidden_act {config['hidden_act']!r}; only 'silu' is known")
    try:
        width, heads = int(config["hidden_size"]), int(config["num_attention_heads"])
        shape = matrices.Shape(
            int(config["vocab_size"]), width, int(config["num_hidden_layers"]), heads,
            int(config.get("num_key_value_heads") or heads), int(config.get("head_dim") or width // heads),
            int(config["intermediate_size"]), int(config.get("max_position_embeddings", 2048)),
            float(config.get("rms_norm_eps", 1e-6)),
        )  # fmt: skip
    except KeyError as missing:
        raise ValueError(f"{str(folder / 'config.json')!r} does not say {missing.args[0]!r}") from None
    places = _places(folder)
    available, head = {name for name in places if not name.endswith(".rotary_emb.inv_freq")}, matrices.FOLDER["head"]
    if config.get("tie_word_embeddings"):
        available.discard(head)
    elif head not in available:
        raise ValueError(f"{file!r} has no {head!r}, and tie_word_embeddings is not set; is it truncated?")
    frequencies = _frequencies(file, config, shape.head_size)
    weights = matrices.assemble(
        file, shape, matrices.FOLDER, available, lambda name: _read(places[name], name), frequencies, interleaved=False
    )
    stop = config.get("eos_token_id")
    stops = frozenset([stop] if isinstance(stop, int) else stop or ())
    # What the tokenizer puts before a text; what it would put after one is no part of a prompt.
    with_specials, plain = (tokenizer.encode("a", add_special_tokens=x).ids for x in (True, False))
    begins = tuple(with_specials[: next((i for i, token in enumerate(with_specials) if token == plain[0]), 0)])
    return LanguageModel(folder.name, weights, tokenizer, shape.context, begins, stops)


def _json(folder: Path, name: str) -> dict[str, Any]:
    path = folder / name
    if not path.is_file():
        raise FileNotFoundError(f"no {name} in {str(folder)!r}; a model's folder has config.json and tokenizer.json")
    try:
        content = json.loads(path.read_text("utf-8"))
    except (ValueError, RecursionError) as problem:
        raise ValueError(f"{str(path)!r} is no JSON ({problem!s})") from None
    if not isinstance(content, dict):
        raise ValueError(f"{str(path)!r} holds no JSON object")
    return content


def _tokenizer(folder: Path) -> Any:
    path = folder / "tokenizer.json"
    if not path.is_file():
        raise FileNotFoundError(f"no tokenizer.json in {str(folder)!r}; transformers writes one with save_pretrained")
    try:
        from tokenizers import Tokenizer
    except ImportError:
        raise missing(str(folder), "tokenizers") from None
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as problem:  # the package raises nothing narrower
        raise ValueError(f"{str(path)!r} is broken ({str(problem).partition(chr(10))[0]})") from problem
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _places(folder: Path) -> dict[str, Any]:
    """The open file that each array is in."""
    try:
        from safetensors import SafetensorError, safe_open
    except ImportError:
        raise missing(str(folder), "safetensors") from None
    index, files = folder / "model.safetensors.index.json", [folder / "model.safetensors"]
    if index.is_file():
        parts = _json(folder, index.name).get("weight_map")
        if not isinstance(parts, dict) or not all(isinstance(part, str) for part in parts.values()):
            raise ValueError(f"{str(index)!r} has no weight_map of names to files")
        files = [folder / name for name in sorted(set(parts.values()))]
    places = {}
    for path in files:
        if not path.is_file():
            raise FileNotFoundError(f"no weights {path.name!r} in {str(folder)!r}; they must be .safetensors")
        try:
            file = safe_open(path, framework="np")
        except SafetensorError as problem:
            raise ValueError(f"{str(path)!r} is truncated or corrupt ({str(problem).partition(chr(10))[0]})") from None
        places |= dict.fromkeys(file.keys(), file)
    return places


def _read(file: Any, name: str) -> np.ndarray:
    kind = file.get_slice(name).get_dtype()
    if kind not in _DTYPES:
        raise ValueError(f"numbers of kind {kind}; must be one of {', '.join(_DTYPES)}")
    return file.get_tensor(name).astype(np.float32)


def _frequencies(file: str, config: Mapping[str, Any], size: int) -> np.ndarray:
    """Of rotary positions, stretched for longer contexts as the config says: not at all, "linear" or "llama3"."""
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    base = float(rope.get("rope_theta") or config.get("rope_theta") or 10000.0)
    kind = rope.get("rope_type", rope.get("type", "default"))
    if kind not in ("default", "linear", "llama3"):
        raise ValueError(f"{file!r} scales positions as {kind!r}; only 'default', 'linear' and 'llama3' are known")
    if kind == "default":
        return llama.rope_frequencies(size, base)
    try:
        factor = float(rope["factor"])
        if kind == "linear":
            return llama.rope_frequencies(size, base, factor)
        low, high = float(rope["low_freq_factor"]), float(rope["high_freq_factor"])
        # How often a pair turns in the context that the model first had: often, it stays; seldom, it slows by factor.
        turns = llama.rope_frequencies(size, base) / (2 * math.pi) * float(rope["original_max_position_embeddings"])
    except KeyError as missing:
        raise ValueError(f"{file!r} does not say {missing.args[0]!r} for positions of type {kind!r}") from None
    smooth = np.clip((turns - low) / (high - low), 0.0, 1.0)
    return llama.rope_frequencies(size, base, 1.0 / ((1 - smooth) / factor + smooth))
