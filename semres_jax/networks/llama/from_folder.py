"""Language models from folders as Hugging Face has them: config.json, *.safetensors, tokenizer.json."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from semres_jax import _safetensors
from semres_jax._files import refuse_pointer, shown, text_of
from semres_jax.networks.llama import gemma, matrices, rope
from semres_jax.networks.llama.language_model import LanguageModel, missing

_KINDS = ("F64", "F32", "F16", "BF16")


def load(folder: Path) -> LanguageModel:
    """The model of a folder; see `language.load`."""
    file = str(folder)
    config = _json(folder, "config.json")
    kind = config.get("model_type")
    if kind not in tuple(matrices.FOLDER):  # it may be a list
        raise ValueError(
            f"{file!r} is of the architecture {kind!r}, and only {' and '.join(map(repr, matrices.FOLDER))} are "
            "evaluated here; serve it (for example with vLLM) and give --endpoint URL"
        )
    tokenizer, layout, of_gemma = _tokenizer(folder), matrices.FOLDER[kind], kind != "llama"
    if of_gemma:
        config = gemma.DEFAULTS | {name: value for name, value in config.items() if value is not None}
    _refuse(file, config, layout.title, of_gemma)
    entry = matrices.Entries(str(folder / "config.json"), config)
    width, heads = entry.whole("hidden_size"), entry.whole("num_attention_heads")
    shape = matrices.Shape(
        entry.whole("vocab_size"), width, entry.whole("num_hidden_layers"), heads,
        entry.whole("num_key_value_heads", heads), entry.whole("head_dim", width // heads),
        entry.whole("intermediate_size"), entry.whole("max_position_embeddings", 2048),
        entry.number("rms_norm_eps", 1e-6),
    )  # fmt: skip
    places = _places(folder)
    available, head = {name for name in places if not name.endswith(".rotary_emb.inv_freq")}, layout.names["head"]
    if config.get("tie_word_embeddings"):
        available.discard(head)
    elif head not in available:
        raise ValueError(f"{file!r} has no {head!r}, and tie_word_embeddings is not set; is it truncated?")
    if of_gemma:
        use = gemma.of_config(file, config, shape)
    else:
        use = matrices.Use(rope.of_config(file, config, shape.head_size))
    weights = matrices.assemble(file, shape, layout, available, lambda name: _read(places[name], name), use)
    stops = frozenset(entry.tokens("eos_token_id"))
    # What the tokenizer puts before a text; what it would put after one is no part of a prompt.
    with_specials, plain = (tokenizer.encode("a", add_special_tokens=x).ids for x in (True, False))
    begins = tuple(with_specials[: next((i for i, token in enumerate(with_specials) if token == plain[0]), 0)])
    return LanguageModel(folder.name, weights, tokenizer, shape.context, begins, stops)


def _refuse(file: str, config: Mapping[str, Any], title: str, of_gemma: bool) -> None:
    """Raise `ValueError` where a network has what isn't known here."""
    if config.get("quantization_config"):
        raise ValueError(f"{file!r} has quantised weights; give the plain ones, or a GGUF file")
    for name in ("attention_bias", "mlp_bias"):
        if config.get(name):
            raise ValueError(f"{file!r} has {name}, which a plain {title} has not; it can't be evaluated")
    name, known = ("hidden_activation", "gelu_pytorch_tanh") if of_gemma else ("hidden_act", "silu")
    if config.get(name, known) != known:
        raise ValueError(f"{file!r} has {name} {config[name]!r}; only {known!r} is known")


def _json(folder: Path, name: str) -> dict[str, Any]:
    path = folder / name
    if not path.is_file():
        raise FileNotFoundError(f"no {name} in {str(folder)!r}; a model's folder has config.json and tokenizer.json")
    text = text_of(path, "file of a model")
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as problem:
        raise ValueError(f"{str(path)!r} is no JSON ({problem!s})") from None
    if not isinstance(content, dict):
        raise ValueError(f"{str(path)!r} holds no JSON object")
    return content


def _tokenizer(folder: Path) -> Any:
    path = folder / "tokenizer.json"
    if not path.is_file():
        raise FileNotFoundError(f"no tokenizer.json in {str(folder)!r}; transformers writes one with save_pretrained")
    refuse_pointer(path)
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
    index, files = folder / "model.safetensors.index.json", [folder / "model.safetensors"]
    if index.is_file():
        parts = _json(folder, index.name).get("weight_map")
        if not isinstance(parts, dict) or not all(isinstance(part, str) for part in parts.values()):
            raise ValueError(f"{str(index)!r} has no weight_map of names to files")
        outside = next((part for part in parts.values() if Path(part).name != part), None)
        if outside is not None:
            raise ValueError(f"{str(index)!r} names the file {shown(outside)!r}; all must be in the model's folder")
        files = [folder / name for name in sorted(set(parts.values()))]
    places = {}
    for path in files:
        if not path.is_file():
            raise FileNotFoundError(f"no weights {path.name!r} in {str(folder)!r}; they must be .safetensors")
        try:
            file = _safetensors.opened(path, "file of weights")
        except ImportError:
            raise missing(str(folder), "safetensors") from None
        places |= dict.fromkeys(file.keys(), (file, path))
    return places


def _read(place: tuple[Any, Path], name: str) -> np.ndarray:
    file, path = place
    return _safetensors.array(file, name, path, _KINDS).astype(np.float32)
