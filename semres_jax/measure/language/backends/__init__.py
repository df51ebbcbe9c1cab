"""What scores text with a language model: a model read here (`Local`), or a server (`Endpoint`)."""

from pathlib import Path

from semres_jax.measure.language.backends.endpoint import Endpoint as Endpoint
from semres_jax.measure.language.backends.local import Local as Local
from semres_jax.measure.language.backends.protocol import Backend as Backend


def open_backend(
    model: str | Path | None = None, endpoint: str | None = None, *, served: str | None = None, key: str | None = None
) -> Backend:
    """The backend that options name: exactly one of a model's file or folder and an endpoint.

    Raises:
        ValueError: both or none of them; what `Local` and `Endpoint` raise.
    """
    if (model is None) == (endpoint is None):
        raise ValueError("give either a model (a GGUF file, a folder, smollm2) or an endpoint, and not both")
    return Local(model) if model is not None else Endpoint(str(endpoint), model=served, key=key)
