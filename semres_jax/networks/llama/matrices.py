"""Named matrices of files as `llama.Weights`: checked, float32, in our layout."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from semres_jax._checks import brief
from semres_jax.networks import llama

# Matrices by part of `llama.Weights`, as GGUF files and as Hugging Face's folders name them.
_WHOLE = {
    "embedding": ("token_embd", "model.embed_tokens"),
    "norm": ("output_norm", "model.norm"),
    "head": ("output", "lm_head"),
}
_LLAMA = {
    "attention_norm": ("attn_norm", "input_layernorm"),
    "query": ("attn_q", "self_attn.q_proj"),
    "key": ("attn_k", "self_attn.k_proj"),
    "value": ("attn_v", "self_attn.v_proj"),
    "output": ("attn_output", "self_attn.o_proj"),
    "mlp_norm": ("ffn_norm", "post_attention_layernorm"),
    "gate": ("ffn_gate", "mlp.gate_proj"),
    "up": ("ffn_up", "mlp.up_proj"),
    "down": ("ffn_down", "mlp.down_proj"),
}
_GEMMA = _LLAMA | {
    "query_norm": ("attn_q_norm", "self_attn.q_norm"),
    "key_norm": ("attn_k_norm", "self_attn.k_norm"),
    "attention_post_norm": ("post_attention_norm", "post_attention_layernorm"),
    "mlp_norm": ("ffn_norm", "pre_feedforward_layernorm"),
    "mlp_post_norm": ("post_ffw_norm", "post_feedforward_layernorm"),
}
# No network has more of anything, and no number of one is larger; before memory is taken for it.
_MOST_WHOLE, _MOST = 2**24, 1e12


class Layout(NamedTuple):
    """How files of one kind hold networks of one architecture.

    Attributes:
        title: of the architecture, for messages.
        names: of matrices, by part of `llama.Weights`; those of layers are to be formatted with their number.
        interleaved: whether queries and keys turn pairs (2i, 2i + 1) of a head, and not (i, i + h/2).
        less_one: whether norms are held less 1.
    """

    title: str
    names: Mapping[str, str]
    interleaved: bool = False
    less_one: bool = False


def _names(layer: Mapping[str, tuple[str, str]], place: str, kind: int) -> dict[str, str]:
    names = {part: f"{both[kind]}.weight" for part, both in _WHOLE.items()}
    return names | {part: f"{place}.{{}}.{both[kind]}.weight" for part, both in layer.items()}


# By `general.architecture` of a file, and by `model_type` of a config.json.
GGUF = {
    "llama": Layout("Llama", _names(_LLAMA, "blk", 0), interleaved=True),
    "gemma3": Layout("Gemma", _names(_GEMMA, "blk", 0)),
}
FOLDER = {
    "llama": Layout("Llama", _names(_LLAMA, "model.layers", 1)),
    "gemma3_text": Layout("Gemma", _names(_GEMMA, "model.layers", 1), less_one=True),
}


class Entries(NamedTuple):
    """What a file says of its network, by name; null is as good as nothing."""

    file: str
    content: Mapping[str, Any]

    def number(self, name: str, default: int | float | None = None) -> float:
        """A finite number above 0, or `ValueError`."""
        value = self.content.get(name)
        value = default if value is None else value
        if value is None:
            null = " but null" if name in self.content else ""
            raise ValueError(f"{self.file!r} does not say {name!r}{null}; a model's file must")
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not value <= _MOST:
            several = "; layers of several kinds are not known here" if isinstance(value, (list, tuple)) else ""
            raise ValueError(f"{self.file!r} says that {name} is {brief(value)}; must be one number above 0{several}")
        if not value > 0:
            raise ValueError(f"{self.file!r} says that {name} is {value}; must be above 0")
        return float(value)

    def whole(self, name: str, default: int | None = None) -> int:
        """A whole number above 0, or `ValueError`."""
        value = self.number(name, default)
        if not value.is_integer() or value > _MOST_WHOLE:
            must = f"a whole number from 1 to {_MOST_WHOLE}"
            raise ValueError(f"{self.file!r} says that {name} is {value:g}; must be {must}")
        return int(value)

    def tokens(self, *names: str) -> tuple[int, ...]:
        """Numbers of tokens, of entries that have one, or a list of them, or nothing."""
        entries = [self.content.get(name) for name in names]
        tokens = [token for entry in entries for token in (entry if isinstance(entry, list) else [entry])]
        for token in tokens:
            if not (token is None or (isinstance(token, int) and 0 <= token < _MOST_WHOLE)):
                raise ValueError(f"{self.file!r} has {names[0]} {brief(token)}; must be the number of a token")
        return tuple(token for token in tokens if token is not None)


class Shape(NamedTuple):
    """What a file says of its network."""

    vocabulary: int
    width: int
    layers: int
    heads: int
    kv_heads: int
    head_size: int
    hidden: int
    context: int
    epsilon: float

    def check(self, file: str) -> None:
        """Raise `ValueError` if no network can have these numbers."""
        for name, value in self._asdict().items():
            if not value > 0:
                raise ValueError(f"{file!r} says that {name} is {value}; must be above 0")
        if self.heads % self.kv_heads or self.head_size % 2:
            raise ValueError(
                f"{file!r} has {self.heads} heads of size {self.head_size} on {self.kv_heads} of keys and values; "
                "the first must be a multiple of the last, and the size even"
            )


class Use(NamedTuple):
    """How a network uses its matrices, as attributes of `llama.Weights`; `is_local` is that of its layers."""

    frequencies: np.ndarray
    local: Any = None
    is_local: np.ndarray | None = None
    activation: str = "silu"
    embedding_scale: float = 1.0
    attention_scale: float | None = None


def assemble(
    file: str, shape: Shape, layout: Layout, available: set[str], read: Callable[[str], np.ndarray], use: Use
) -> llama.Weights:
    """Weights of a file.

    Args:
        file: its name, for messages.
        shape: the network's.
        layout: how it holds them.
        available: names in the file.
        read: the matrix (outputs, inputs) or vector of a name, as float32.
        use: what is to be done with them.

    Raises:
        ValueError: one is missing, unknown, of another shape, or not finite.
    """
    names = layout.names
    shape.check(file)
    if shape.layers > len(available):  # before their names are listed, which a false number would never end
        said = f"{shape.layers} layers, but has {len(available)} arrays"
        raise ValueError(f"{file!r} says that it has {said}; is it truncated?")
    wanted = {names[part].format(i): size for part, size in _sizes(shape, names).items() for i in range(shape.layers)}
    wanted |= dict.fromkeys((names["embedding"], names["head"]), (shape.vocabulary, shape.width))
    wanted[names["norm"]] = (shape.width,)
    unknown = sorted(available - set(wanted))
    if unknown:
        more = f" (and {len(unknown) - 1} more)" if len(unknown) > 1 else ""
        raise ValueError(
            f"{file!r} has {unknown[0]!r}{more}, which a plain {layout.title} has not; it can't be evaluated"
        )

    def get(name: str) -> np.ndarray:
        if name not in available:
            has = f"which a {layout.title} of {shape.layers} layers has"
            raise ValueError(f"{file!r} has no {name!r}, {has}; is it truncated?")
        return _array(file, name, read, wanted[name])

    def stacked(part: str) -> Any:
        rows = []
        for i in range(shape.layers):
            value = get(names[part].format(i))
            if layout.interleaved and part in ("query", "key"):
                heads = value.reshape(-1, shape.head_size // 2, 2, shape.width)
                value = heads.swapaxes(1, 2).reshape(value.shape)
            rows.append(value.T)
        table = np.array(rows)  # np.stack and jnp.asarray take twice as long
        return jax.device_put(table + np.float32(layout.less_one and part.endswith("norm")))

    embedding, layers = jax.device_put(get(names["embedding"])), {part: stacked(part) for part in _sizes(shape, names)}
    norm = jax.device_put(get(names["norm"]) + np.float32(layout.less_one))
    head = jax.device_put(get(names["head"])) if names["head"] in available else None
    turns, local, is_local = jax.device_put((use.frequencies, use.local, use.is_local))
    return llama.Weights(
        embedding, llama.Layers(**layers, local=is_local), norm, head, turns, shape.heads, shape.kv_heads,
        shape.epsilon, local, use.activation, use.embedding_scale, use.attention_scale,
    )  # fmt: skip


def _sizes(shape: Shape, names: Mapping[str, str]) -> dict[str, tuple[int, ...]]:
    """Shapes of the matrices of a layer, as far as they have names."""
    queries, keys = shape.heads * shape.head_size, shape.kv_heads * shape.head_size
    sizes: dict[str, tuple[int, ...]] = dict.fromkeys(("gate", "up"), (shape.hidden, shape.width))
    sizes |= dict.fromkeys(("key", "value"), (keys, shape.width)) | {"query": (queries, shape.width)}
    sizes |= {"output": (shape.width, queries), "down": (shape.width, shape.hidden)}
    sizes |= dict.fromkeys(("attention_norm", "mlp_norm", "attention_post_norm", "mlp_post_norm"), (shape.width,))
    sizes |= dict.fromkeys(("query_norm", "key_norm"), (shape.head_size,))
    return {part: sizes[part] for part in llama.Layers._fields if part in names}


def _array(file: str, name: str, read: Callable[[str], np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
    """An array as float32, finite and of this shape, or `ValueError`."""
    try:
        with np.errstate(all="ignore"):
            value = np.asarray(read(name), np.float32)
    except Exception as problem:  # what a broken file raises may be of any kind
        said = str(problem).partition("\n")[0]
        raise ValueError(f"{file!r} is truncated or corrupt at {name!r} ({said})") from problem
    if value.shape != shape:
        raise ValueError(f"{file!r} has {name!r} of shape {value.shape} where {shape} was expected")
    with np.errstate(invalid="ignore"):  # of infinities, which are told below
        total = value.sum(dtype=np.float64)
    if not np.isfinite(total):
        raise ValueError(f"{file!r} has NaN or infinity in {name!r}; must be finite")
    return value
