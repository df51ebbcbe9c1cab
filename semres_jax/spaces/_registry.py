"""Spaces by name: what commands, tables and configuration files say, turned into spaces."""

import difflib
import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from semres_jax.spaces.ball import Ball
from semres_jax.spaces.base import _REGISTRY, MetricSpace, register
from semres_jax.spaces.circle import Circle
from semres_jax.spaces.finite import Finite
from semres_jax.spaces.gaussian import Gaussian
from semres_jax.spaces.hamming import Hamming
from semres_jax.spaces.hyperbolic import Hyperbolic
from semres_jax.spaces.interval import Interval
from semres_jax.spaces.product import Product
from semres_jax.spaces.sphere import Sphere
from semres_jax.spaces.torus import Torus
from semres_jax.spaces.tree import Tree

# Entries of the catalogue beside the defaults.
_VARIANTS = ("sphere(9)",)
_NEWICK_SUFFIXES = (".nwk", ".newick", ".tree", ".tre")


def get(name: str, /, **params: Any) -> MetricSpace:
    """The space of that name.

    Args:
        name: a name of the catalogue, with parameters or without: "sphere", "sphere(9)", "sphere:9",
            "gaussian(dim=3)", "torus(2, l1)"; or the path of a Newick file (.nwk, .newick, .tree, .tre).
        **params: parameters of the space by name, over those in the name.

    Raises:
        ValueError: unknown name (the message lists all) or parameter (the message lists those accepted), or a value
            that the space refuses.

    Example:
        >>> from semres_jax import spaces
        >>> spaces.get("sphere", dim=9).label, spaces.get("torus(2, l1)").label
        ('sphere(9)', 'torus(2, l1)')
    """
    if Path(name).suffix.lower() in _NEWICK_SUFFIXES and Path(name).is_file():
        name, params = "tree", {"newick": name, **params}
    match = re.fullmatch(r"\s*([\w-]+)\s*(?::(.*)|\((.*)\))?\s*", name, flags=re.DOTALL)
    word = match[1].lower() if match else name
    if match is None or word not in _REGISTRY:
        near = difflib.get_close_matches(word, _REGISTRY, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(f"unknown space {name!r}; {hint}There are {', '.join(sorted(_REGISTRY))}, and Newick files")
    factory = _REGISTRY[word]
    accepted = inspect.signature(factory).parameters
    given = _parameters(match[2] or match[3] or "", list(accepted), name) | params
    open_ended = any(parameter.kind is parameter.VAR_KEYWORD for parameter in accepted.values())
    unknown = [key for key in given if key not in accepted and not open_ended]
    if unknown:
        raise ValueError(
            f"space {word!r} has no parameter {unknown[0]!r}; it accepts {', '.join(accepted) or 'no parameters'}"
        )
    missing = [key for key in _needed(factory) if key not in given]
    if missing:
        raise ValueError(f"space {word!r} needs {', '.join(missing)}")
    return factory(**given)


def _parameters(text: str, accepted: list[str], name: str) -> dict[str, Any]:
    """Parameters written in a name: positional ones first, as in a call."""
    given: dict[str, Any] = {}
    for position, item in enumerate(part.strip() for part in text.split(",") if text.strip()):
        key, equals, value = (part.strip() for part in item.partition("="))
        if not equals:
            if position >= len(accepted):
                raise ValueError(f"too many parameters in {name!r}; it accepts {', '.join(accepted) or 'none'}")
            key, value = accepted[position], item
        given[key] = _number(value)
    return given


def _number(text: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text.strip("'\"")


def catalogue() -> dict[str, MetricSpace]:
    """One representative of every registered space that can be made without parameters; `get(key)` makes the same.

    Example:
        >>> from semres_jax import spaces
        >>> spaces.catalogue()["sphere(9)"].label
        'sphere(9)'
    """
    names = [name for name, factory in _REGISTRY.items() if not _needed(factory)]
    return {name: get(name) for name in (*names, *_VARIANTS)}


def _needed(factory: Callable[..., MetricSpace]) -> list[str]:
    """Parameters without a default."""
    parameters = inspect.signature(factory).parameters.values()
    optional = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [p.name for p in parameters if p.default is p.empty and p.kind not in optional]


def _tree(newick: Any = None, weights: Any = None) -> Tree:
    """The bird families that come with the package, or the tree of a Newick file or text."""
    return Tree.birds() if newick is None else Tree.from_newick(newick, weights)


def _finite(distances: Any = None, weights: Any = None, points: Any = None, metric: Any = "euclidean") -> Finite:
    """By default 64 points of the R2 sequence (Roberts 2018; steps 1/ρ, 1/ρ², ρ³ = ρ + 1) in the unit square."""
    if distances is not None:
        return Finite(distances, weights)
    if points is None:
        plastic = 1.3247179572447460
        points = (0.5 + np.arange(1, 65)[:, None] / np.array([plastic, plastic**2])) % 1.0
    return Finite.from_points(points, metric, weights)


def _product(factors: Any = ("circle", "interval"), metric: str = "max") -> Product:
    """Factors are spaces or names of spaces."""
    if isinstance(factors, (list, tuple)):
        factors = tuple(get(factor) if isinstance(factor, str) else factor for factor in factors)
    return Product(factors, metric)


for _kind in (Circle, Interval, Torus, Sphere, Ball, Gaussian, Hamming, Hyperbolic):
    register(_kind.name, _kind)
register("tree", _tree)
register("finite", _finite)
register("product", _product)
