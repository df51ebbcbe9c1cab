"""JAX as this package needs it, whatever its user has set: strict promotion, no jit, checks for NaN, and so on.

These settings are for a user's own code. Here some of them stop programs that are right (a NaN that a `where` leaves
out), and none may change a number.
"""

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from semres_jax._checks import refuse_traced

_F = TypeVar("_F", bound=Callable[..., Any])


@contextlib.contextmanager
def usual() -> Iterator[None]:
    """JAX with the settings that it comes with, in this thread, but for precision and devices."""
    with (
        jax.numpy_dtype_promotion("standard"),
        jax.numpy_rank_promotion("allow"),
        jax.debug_nans(False),
        jax.debug_infs(False),
        jax.disable_jit(False),
        jax.default_matmul_precision(None),  # pyright: ignore[reportArgumentType]
        jax.transfer_guard("allow"),
    ):
        yield


def at_once() -> Any:
    """Surroundings in which what is known is computed at once, also inside a trace of `jit`.

    Elsewhere that goes without saying; there `jax.ensure_compile_time_eval` would compile every operation on constants
    of a program apart, before the program: a second more for a quadrature.
    """
    staged = isinstance(jnp.asarray(np.zeros(())), Tracer)
    return jax.ensure_compile_time_eval() if staged else contextlib.nullcontext()


def in_usual(f: _F) -> _F:
    """A function that runs in `usual` surroundings."""

    @functools.wraps(f)
    def inside(*args: Any, **settings: Any) -> Any:
        with usual():
            return f(*args, **settings)

    return inside  # pyright: ignore[reportReturnType]


def on_host(what: str) -> Callable[[_F], _F]:
    """What makes a function one of the host: in `usual` surroundings, refused where an argument is traced.

    Inside a trace that none of its arguments is part of it is computed at once.
    """

    def decorate(f: _F) -> _F:
        @functools.wraps(f)
        def inside(*args: Any, **settings: Any) -> Any:
            refuse_traced(what, args, settings)
            with usual(), at_once():
                return f(*args, **settings)

        return inside  # pyright: ignore[reportReturnType]

    return decorate
