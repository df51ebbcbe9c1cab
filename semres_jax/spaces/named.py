"""Spaces by name, by file, or as they are: what users and commands say, turned into spaces."""

import difflib
import functools
import inspect
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from semres_jax._checks import brief
from semres_jax._files import composed, shown
from semres_jax._surroundings import in_usual
from semres_jax.spaces.ball import Ball
from semres_jax.spaces.base import MetricSpace
from semres_jax.spaces.circle import Circle
from semres_jax.spaces.finite import Finite
from semres_jax.spaces.gaussian import Gaussian
from semres_jax.spaces.hamming import Hamming
from semres_jax.spaces.hyperbolic import Hyperbolic
from semres_jax.spaces.interval import Interval
from semres_jax.spaces.points import Points
from semres_jax.spaces.product import Product
from semres_jax.spaces.sphere import Sphere
from semres_jax.spaces.torus import Torus
from semres_jax.spaces.tree import Tree

# Entries of the catalogue beside the defaults, and a name that it leaves out: its space is large.
_VARIANTS, _LEFT_OUT = ("sphere(9)",), "animals"
_TREES, _TABLES = (".nwk", ".newick", ".tree", ".tre", ".nex", ".nexus"), (".npy", ".csv")
_F = TypeVar("_F", bound=Callable[..., Any])
_REGISTRY: dict[str, Callable[..., MetricSpace]] = {}


def register(name: str, factory: Callable[..., MetricSpace]) -> None:
    """Enter `factory` under `name`: from then on `get(name, **params)` and every command know it."""
    _REGISTRY[name] = factory


def get(given: Any, /, **params: Any) -> MetricSpace:
    """The space that a name or a file stands for.

    Args:
        given: a name of the catalogue, with parameters or without: "sphere", "sphere(9)", "sphere:9",
            "gaussian(dim=3)", "torus(2, l1)"; "animals", 2,000 animal silhouettes; "points(FILE)" and
            "points(FILE, METRIC)", stimuli whose coordinates are the rows of an array in a file; the path of a
            tree in Newick or Nexus format (.nwk, .newick, .tree, .tre, .nex, .nexus, each also with .gz, or any file
            that is there) or of a table of distances (.npy, or .csv with names); or a space, taken as it is.
        **params: parameters of the space by name, over those in the name.

    Raises:
        ValueError: unknown name (the message lists all) or parameter (the message lists those accepted), a value that
            the space refuses, or a broken file.
        FileNotFoundError: no such file.

    Example:
        >>> from semres_jax import spaces
        >>> spaces.get("sphere", dim=9).label, spaces.get("torus(2, l1)").label
        ('sphere(9)', 'torus(2, l1)')
    """
    return given if isinstance(given, MetricSpace) else _labelled(_name(given), params)[1]


def on_space(f: _F) -> _F:
    """A public function whose first argument is a space, or what `get` makes one of; in usual surroundings of JAX."""

    @functools.wraps(f)
    @in_usual
    def named(space: Any, *args: Any, **settings: Any) -> Any:
        return f(get(space), *args, **settings)

    return named  # pyright: ignore[reportReturnType]


def by_label(given: Any) -> dict[str, MetricSpace]:
    """Spaces by the label that each has in results: of files and of "animals" with their name and number of stimuli.

    Args:
        given: what `get` takes, or a list of such; a dict {label: what `get` takes} is as its user labels it.

    Raises:
        ValueError, FileNotFoundError: as `get`; several spaces of one label.

    Example:
        >>> from semres_jax import spaces
        >>> list(spaces.by_label(["circle", "sphere:9", spaces.Torus(3)]))
        ['circle', 'sphere(9)', 'torus(3)']
    """
    if isinstance(given, Mapping):
        return {label: get(space) for label, space in given.items()}
    named: dict[str, MetricSpace] = {}
    for item in given if isinstance(given, (list, tuple)) else [given]:
        if isinstance(item, MetricSpace):
            if item.label in named:
                raise ValueError(f"spaces must have different labels; {item.label!r} comes twice (give a dict of them)")
            named[item.label] = item
            continue
        label, space = _labelled(name := _name(item), {})
        # The same name again is the same space; another file with a name like one before is called by its path.
        named[shown(name) if label in named and os.path.exists(name) else label] = space
    return named


def _name(given: Any) -> str:
    """A name or a path as text."""
    if isinstance(given, (str, bytes, os.PathLike)):
        return os.fsdecode(given)
    table = "; spaces.Finite(table) is the space of a table of distances" if np.ndim(given) == 2 else ""
    kind = f"the class {given.__name__}; call it" if isinstance(given, type) else brief(given)
    raise ValueError(f"space must be a space, or a name or file that spaces.get knows; got {kind}{table}")


def _labelled(name: str, params: dict[str, Any]) -> tuple[str, MetricSpace]:
    match = re.fullmatch(r"\s*([\w-]+)\s*(?::(.*)|\((.*)\))?\s*", name, flags=re.DOTALL)
    word, inside = (match[1].lower(), match[2] or match[3] or "") if match else (name, "")
    path, ending = Path(name), _ending(Path(name))
    # A bare name of the catalogue is that space; else what is there is a file, whatever its name.
    is_file = name.strip().lower() not in _REGISTRY and os.path.exists(name) and not path.is_dir()
    if ending in _TABLES and (is_file or word not in _REGISTRY):
        from semres_jax.data.embeddings import distances_and_names

        table, names = distances_and_names(path)
        label, word, inside = _label(path) or "finite", "finite", ""
        params = {"distances": table, "labels": names, **params}
    elif is_file or (ending in _TREES and word not in _REGISTRY):
        label, word, inside, params = _label(path) or "tree", "tree", "", {"newick": path, **params}
    elif word in _REGISTRY:
        label = word
    else:
        if os.path.dirname(name) and not os.path.exists(name):
            raise FileNotFoundError(f"no file {shown(name)!r}, and no space is called so")
        near = difflib.get_close_matches(word, _REGISTRY, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        hint = f"it is a folder, and a file is needed. {hint}" if os.path.isdir(name) else hint
        raise ValueError(f"unknown space {brief(name)}; {hint}There are {', '.join(sorted(_REGISTRY))}, and files")
    factory = _REGISTRY[word]
    accepted = inspect.signature(factory).parameters
    values = _parameters(inside, list(accepted), name) | params
    open_ended = any(parameter.kind is parameter.VAR_KEYWORD for parameter in accepted.values())
    unknown = [key for key in values if key not in accepted and not open_ended]
    if unknown:
        raise ValueError(
            f"space {word!r} has no parameter {unknown[0]!r}; it accepts {', '.join(accepted) or 'no parameters'}"
        )
    missing = [key for key in _needed(factory) if key not in values]
    if missing:
        raise ValueError(f"space {word!r} needs {', '.join(missing)}")
    try:
        space = factory(**values)
    except TypeError as error:
        if not inside:
            raise
        raise ValueError(f"space {name!r} has a parameter of the wrong kind: {error}") from error
    return f"{label}({space.size})" if isinstance(space, Finite) else space.label, space


def _ending(path: Path) -> str:
    """The ending of a file's name that says its kind: .nwk of birds.nwk.gz."""
    return (path.with_suffix("") if path.suffix.lower() == ".gz" else path).suffix.lower()


def _label(path: Path) -> str:
    """What a file's space is called in results: its name without endings; "" for pipes, which have none."""
    if os.path.exists(path) and not path.is_file():
        return ""
    return composed(shown((path.with_suffix("") if path.suffix.lower() == ".gz" else path).stem))


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
    """One representative of every registered space that can be made without parameters, but for "animals".

    `get(key)` makes the same.

    Example:
        >>> from semres_jax import spaces
        >>> spaces.catalogue()["sphere(9)"].label
        'sphere(9)'
    """
    names = [name for name, factory in _REGISTRY.items() if name != _LEFT_OUT and not _needed(factory)]
    return {name: get(name) for name in (*names, *_VARIANTS)}


def _needed(factory: Callable[..., MetricSpace]) -> list[str]:
    """Parameters without a default."""
    parameters = inspect.signature(factory).parameters.values()
    optional = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [p.name for p in parameters if p.default is p.empty and p.kind not in optional]


def _tree(newick: Any = None, weights: Any = None) -> Tree:
    """The bird families that come with the package, or the tree of a Newick file or text."""
    return Tree.birds() if newick is None else Tree.from_newick(newick, weights)


def _finite(
    distances: Any = None, weights: Any = None, points: Any = None, metric: Any = "euclidean", labels: Any = ()
) -> Finite:
    """By default 64 points of the R2 sequence (Roberts 2018; steps 1/ρ, 1/ρ², ρ³ = ρ + 1) in the unit square."""
    if distances is not None:
        return Finite(distances, weights, labels)
    if points is None:
        plastic = 1.3247179572447460
        points = (0.5 + np.arange(1, 65)[:, None] / np.array([plastic, plastic**2])) % 1.0
    return Finite.from_points(points, metric, weights, labels)


def _points(points: Any, metric: Any = "euclidean", weights: Any = None, labels: Any = ()) -> Points:
    """Points, or a file of them: .npy, or whatever else holds one array of embeddings."""
    if isinstance(points, (str, os.PathLike)):
        from semres_jax.data import read_embeddings

        points, names = read_embeddings(Path(points))
        labels = labels or names
    return Points(points, metric, weights, labels or ())


def _animals(count: int = 2000) -> Finite:
    """Animal silhouettes that come with the package, at Euclidean distances."""
    from semres_jax.data import silhouette_points

    return Finite.from_points(silhouette_points(count), "euclidean")


def _product(factors: Any = ("circle", "interval"), metric: str = "max") -> Product:
    """Factors are spaces or names of spaces."""
    if isinstance(factors, (list, tuple)):
        factors = tuple(get(factor) if isinstance(factor, str) else factor for factor in factors)
    return Product(factors, metric)


for _kind in (Circle, Interval, Torus, Sphere, Ball, Gaussian, Hamming, Hyperbolic):
    register(_kind.name, _kind)
register("tree", _tree)
register("finite", _finite)
register("points", _points)
register("product", _product)
register("animals", _animals)
