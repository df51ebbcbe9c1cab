"""Named matrices of files as `llama.Weights`: checked, float32, in our layout."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from semres_jax.networks import llama


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


def assemble(
    file: str,
    shape: Shape,
    names: Mapping[str, str],
    available: set[str],
    read: Callable[[str], np.ndarray],
    frequencies: np.ndarray,
    *,
    interleaved: bool,
) -> llama.Weights:
    """Weights of a file.

    Args:
        file: its name, for messages.
        shape: the network's.
        names: of the file's for ours: "embedding", "norm", "head", and for layers with "{}" for the layer.
        available: names in the file.
        read: the matrix (outputs, inputs) or vector of a name, as float32.
        frequencies: of rotary positions.
        interleaved: whether queries and keys turn pairs (2i, 2i + 1) of a head, and not (i, i + h/2).

    Raises:
        ValueError: one is missing, unknown, of another shape, or not finite.
    """
    shape.check(file)
    queries, keys = shape.heads * shape.head_size, shape.kv_heads * shape.head_size
    of = {
        "attention_norm": (shape.width,),
        "query": (queries, shape.width),
        "key": (keys, shape.width),
        "value": (keys, shape.width),
        "output": (shape.width, queries),
        "mlp_norm": (shape.width,),
        "gate": (shape.hidden, shape.width),
        "up": (shape.hidden, shape.width),
        "down": (shape.width, shape.hidden),
    }
    wanted: dict[str, tuple[int, ...]] = {
        names[part]: (shape.vocabulary, shape.width) for part in ("embedding", "head")
    }
    wanted[names["norm"]] = (shape.width,)
    wanted |= {names[part].format(i): size for part, size in of.items() for i in range(shape.layers)}
    unknown = sorted(available - set(wanted))
    if unknown:
        more = f" (and {len(unknown) - 1} more)" if len(unknown) > 1 else ""
        raise ValueError(f"{file!r} has {unknown[0]!r}{more}, which a plain Llama has not; it can't be evaluated")

    def get(name: str) -> np.ndarray:
        if name not in available:
            raise ValueError(f"{file!r} has no {name!r}, which a Llama of {shape.layers} layers has; is it truncated?")
        try:
            value = np.asarray(read(name), np.float32)
        except Exception as problem:  # what a broken file raises may be of any kind
            said = str(problem).partition("\n")[0]
            raise ValueError(f"{file!r} is truncated or corrupt at {name!r} ({said})") from problem
        if value.shape != wanted[name]:
            raise ValueError(f"{file!r} has {name!r} of shape {value.shape} where {wanted[name]} was expected")
        if not np.isfinite(value.sum(dtype=np.float64)):
            raise ValueError(f"{file!r} has NaN or infinity in {name!r}; must be finite")
        return value

    def stacked(part: str) -> Any:
        rows = []
        for i in range(shape.layers):
            value = get(names[part].format(i))
            if interleaved and part in ("query", "key"):
                heads = value.reshape(-1, shape.head_size // 2, 2, shape.width)
                value = heads.swapaxes(1, 2).reshape(value.shape)
            rows.append(value.T)
        return jax.device_put(np.array(rows))  # np.stack and jnp.asarray take twice as long

    return llama.Weights(
        jax.device_put(get(names["embedding"])),
        llama.Layers(**{part: stacked(part) for part in of}),
        jax.device_put(get(names["norm"])),
        jax.device_put(get(names["head"])) if names["head"] in available else None,
        jax.device_put(frequencies),
        shape.heads,
        shape.kv_heads,
        shape.epsilon,
    )
