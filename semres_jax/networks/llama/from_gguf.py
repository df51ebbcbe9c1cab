"""Language models from GGUF files of the architectures "llama" and "gemma3"."""

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from semres_jax._files import refuse_pointer, shown
from semres_jax.networks import llama
from semres_jax.networks.llama import _bpe, gemma, matrices
from semres_jax.networks.llama.language_model import LanguageModel, missing

# By what frequencies are divided, where that is not one number; there is one for the whole file.
_FACTORS = "rope_freqs.weight"
# More of anything is no model's, and would fill memory: tensors or entries, entries of a list, bytes of a text, axes.
_MOST_ENTRIES, _LONGEST_LIST, _LONGEST_TEXT, _MOST_AXES = 2**16, 2**20, 2**24, 8


def load(path: Path) -> LanguageModel:
    """The model of a file; see `language.load`."""
    file = str(path)
    for package in ("gguf", "tokenizers"):
        try:
            importlib.import_module(package)
        except ImportError:
            raise missing(file, package) from None
    fields, tensors = _read(path)
    architecture = _architecture(file, fields)
    shape = _shape(file, fields, architecture)

    def read(name: str) -> np.ndarray:
        from gguf.quants import dequantize

        data = tensors[name].data
        # A copy: what is mapped from a file changes with it.
        return data.astype(np.float32) if data.dtype.kind == "f" else dequantize(data, tensors[name].tensor_type)

    entry = matrices.Entries(file, fields)
    factors: Any = entry.number(f"{architecture}.rope.scaling.factor", 1.0)
    if _FACTORS in tensors:
        factors = read(_FACTORS)
    base = entry.number(f"{architecture}.rope.freq_base", 10000.0)
    frequencies = llama.rope_frequencies(shape.head_size, base, factors)
    use = matrices.Use(frequencies) if architecture == "llama" else gemma.of_gguf(entry, shape, frequencies)
    available = set(tensors) - {_FACTORS}
    tokenizer = _bpe.of_gguf(file, fields)
    weights = matrices.assemble(file, shape, matrices.GGUF[architecture], available, read, use)
    return LanguageModel(
        path.name, weights, tokenizer, shape.context, _bpe.starts(file, fields), _bpe.stops(file, fields)
    )


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Metadata of a file by name, and its arrays as `gguf.ReaderTensor`, whose numbers are mapped from the file."""
    file = str(path)
    refuse_pointer(path)
    with path.open("rb") as opened:
        magic, version = opened.read(4), int.from_bytes(opened.read(4), "little")
        counts = [int.from_bytes(opened.read(8), "little") for _ in range(2)]  # of tensors, and of metadata
    if magic != b"GGUF":
        raise ValueError(f"{file!r} is no GGUF file: it begins with {magic!r}; give a .gguf or a model's folder")
    if version > 3:
        raise ValueError(f"{file!r} is GGUF of version {version}; must be 2 or 3, little-endian")
    if max(counts, default=0) > _MOST_ENTRIES:
        raise ValueError(f"{file!r} is truncated or corrupt: it counts {counts[0]} tensors and {counts[1]} entries")
    try:
        reader = _reader()(path)
        fields = {name: _contents(field) for name, field in reader.fields.items()}
    except Exception as problem:  # what a broken file raises may be of any kind
        message = shown(str(problem).partition("\n")[0])
        if "GGMLQuantizationType" in message:
            raise ValueError(f"{file!r} has numbers of a kind that the package gguf lacks: {message}") from None
        raise ValueError(f"{file!r} is truncated or corrupt: {message}") from None
    return fields, {tensor.name: tensor for tensor in reader.tensors}


def _reader() -> type[Any]:
    """The package's reader; what it takes minutes and gigabytes for, arrays of a file that speaks of any size, at once.

    Of an array it has each entry as an array; here its bytes, from which `_contents` makes a list.
    """
    from gguf import GGUFReader, GGUFValueType

    class Reader(GGUFReader):
        def _get(self, offset: Any, dtype: Any, count: Any = 1, override_order: Any = None) -> np.ndarray:
            # Called for every piece of a tokenizer; slices of a memory map, as in the package, take five times as long.
            return np.frombuffer(self.data, dtype, int(count), int(offset))

        def _get_str(self, offset: int) -> Any:
            length, text = super()._get_str(offset)
            if text.size > _LONGEST_TEXT:
                raise ValueError(f"a text of {text.size} bytes")
            return length, text

        def _get_tensor_info_field(self, orig_offs: int) -> Any:
            field = super()._get_tensor_info_field(orig_offs)
            if field.parts[3].size > _MOST_AXES:
                raise ValueError(f"an array of {field.parts[3].size} axes")
            return field

        def _get_field_parts(self, orig_offs: int, raw_type: Any) -> Any:
            if GGUFValueType(raw_type) != GGUFValueType.ARRAY:
                return super()._get_field_parts(orig_offs, raw_type)
            kind, count = self._get(orig_offs, np.uint32), self._get(orig_offs + 4, np.uint64)
            of, start, length = GGUFValueType(kind[0]), orig_offs + 12, int(count[0])
            if of == GGUFValueType.ARRAY or length > _LONGEST_LIST:
                raise ValueError(f"a list of {length} entries of kind {of.name}")
            end = start
            if of == GGUFValueType.STRING:
                for _ in range(length):
                    end += 8 + int(self._get(end, np.uint64)[0])
                entries = self._get(start, np.uint8, end - start)
            else:
                entries = self._get(start, self.gguf_scalar_to_np[of], length)
            return 12 + entries.nbytes, [kind, count, entries], [2], [GGUFValueType.ARRAY, of]

    return Reader


def _contents(field: Any) -> Any:
    """What a field says: a number, a text, or a list."""
    from gguf import GGUFValueType

    if field.types != [GGUFValueType.ARRAY, GGUFValueType.STRING]:
        return field.contents()
    content, texts, at = field.parts[field.data[0]].tobytes(), [], 0
    while at < len(content):
        end = at + 8 + int.from_bytes(content[at : at + 8], "little")
        texts.append(str(content[at + 8 : end], "utf-8"))
        at = end
    return texts


def _architecture(file: str, fields: Mapping[str, Any]) -> str:
    """One of `matrices.GGUF`."""
    parts, number = fields.get("split.count", 1), fields.get("split.no", 0)
    if isinstance(parts, int) and parts > 1:  # asked before the architecture, which the first part alone tells
        raise ValueError(
            f"{file!r} is part {number + 1 if isinstance(number, int) else '?'} of {parts} of a split model "
            "(split.count); merge them (llama-gguf-split --merge FIRST.gguf OUT.gguf), or serve it (llama-server -m "
            "FIRST.gguf) and give --endpoint URL"
        )
    architecture: Any = fields.get("general.architecture")
    if architecture not in tuple(matrices.GGUF):  # it may be a list
        raise ValueError(
            f"{file!r} is of the architecture {architecture!r}, and only {' and '.join(map(repr, matrices.GGUF))} are "
            "evaluated here; serve it (llama-server -m FILE) and give --endpoint URL"
        )
    return architecture


def _shape(file: str, fields: Mapping[str, Any], architecture: str) -> matrices.Shape:
    scaling = fields.get(f"{architecture}.rope.scaling.type", "none")
    if fields.get(f"{architecture}.expert_count"):
        raise ValueError(f"{file!r} is a mixture of experts; serve it (llama-server -m FILE) and give --endpoint URL")
    if scaling not in ("none", "linear"):
        raise ValueError(f"{file!r} scales positions as {scaling!r}; only 'none' and 'linear' are known")
    entry = matrices.Entries(file, fields)
    width, heads = entry.whole(f"{architecture}.embedding_length"), entry.whole(f"{architecture}.attention.head_count")
    size = entry.whole(f"{architecture}.attention.key_length", width // heads)
    # 1e-5 and not the float32 nearest to it, as elsewhere: it is compiled into the program.
    epsilon = float(str(np.float32(entry.number(f"{architecture}.attention.layer_norm_rms_epsilon"))))
    kv_heads = entry.whole(f"{architecture}.attention.head_count_kv", heads)
    shape = matrices.Shape(
        entry.whole(f"{architecture}.vocab_size", np.size(fields.get("tokenizer.ggml.tokens", ()))), width,
        entry.whole(f"{architecture}.block_count"), heads, kv_heads, size,
        entry.whole(f"{architecture}.feed_forward_length"), entry.whole(f"{architecture}.context_length"), epsilon,
    )  # fmt: skip
    turned = entry.whole(f"{architecture}.rope.dimension_count", size)
    if turned != size or entry.whole(f"{architecture}.attention.value_length", size) != size:
        raise ValueError(f"{file!r} turns {turned} of the {size} numbers of a head; only all of them is known")
    return shape
