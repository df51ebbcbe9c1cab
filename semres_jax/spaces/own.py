"""Spaces out of plain functions: a sampler and a distance."""

import dataclasses
import hashlib
import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from semres_jax._checks import brief, require, require_count
from semres_jax._types import Array, ArrayLike, Point
from semres_jax.spaces.base import MetricSpace, coordinates, space, spread, static

# Uniforms of 32 bits each that make a random key.
_WORDS = 2
# Points that functions are tried on, and pairs that a ball measure is compared with, in standard errors.
_TRIED, _PAIRS, _ERRORS = 16, 4096, 6.0
# What rounding in 32 bits may do: to a distance, to that of a point to itself, to a ball measure.
_ROUNDING, _AT_ITSELF, _OF_BALLS = 1e-5, 1e-3, 1e-4


@space
class Own(MetricSpace):
    """A space out of functions, which `from_functions` makes. Functions are structure: the same ones compile once."""

    sample: Any = static()
    apart: Any = static()
    numbers: int = static(default=0)
    title: str = static(default="own")
    # Axes of the leaves of a point, and whether the distance broadcasts as it is.
    axes: Any = static(default=())
    broadcasts: bool = static(default=True)
    balls: Any = static(default=None)
    ball_kinks: Any = static(default=())
    width: Any = math.inf
    # What the functions say, so that runs that are kept know them again.
    code: str = static(default="")
    name: ClassVar[str] = "own"

    @property
    def label(self) -> str:
        return self.title

    @property
    def uniforms(self) -> int:
        return self.numbers or _WORDS

    @property
    def diameter(self) -> Any:
        return self.width

    @property
    def has_ball_measure(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.balls is not None

    @property
    def homogeneous(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.balls is not None

    def point(self, u: ArrayLike) -> Point:
        u = coordinates(self, u)
        if self.numbers:
            return self.sample(u)
        # Two words of 32 bits are a key of threefry, and a point is what the sampler makes of its own key.
        words = jnp.minimum(u * 2.0**32, 2.0**32 - 256).astype(jnp.uint32)
        flat = jax.random.wrap_key_data(words.reshape(-1, _WORDS), impl="threefry2x32")
        points = jax.vmap(lambda key: self.sample(key, ()))(flat)
        return jax.tree.map(lambda leaf: leaf.reshape(*u.shape[:-1], *leaf.shape[1:]), points)

    def distance(self, x: Point, y: Point) -> Array:
        if self.broadcasts:
            return jnp.asarray(self.apart(x, y))
        batch = jnp.broadcast_shapes(self._batch(x), self._batch(y))

        def flat(point: Point) -> Point:
            """One axis of points in front."""
            own = len(self._batch(point))
            return jax.tree.map(
                lambda leaf: jnp.broadcast_to(leaf, (*batch, *leaf.shape[own:])).reshape(-1, *leaf.shape[own:]),
                jax.tree.map(jnp.asarray, point),
            )

        made = jnp.asarray(jax.vmap(self.apart)(flat(x), flat(y)))
        if made.ndim != 1:
            raise ValueError(
                "distance(x, y) must give one number for each pair of points, or for two points one number; of two "
                f"points it made shape {made.shape[1:]}"
            )
        return made.reshape(batch)

    def _batch(self, point: Point) -> tuple[int, ...]:
        leaf = jax.tree.leaves(point)[0]
        return np.shape(leaf)[: np.ndim(leaf) - self.axes[0]]

    def ball_measure(self, p: Point, r: ArrayLike) -> Array:
        if self.balls is None:
            return super().ball_measure(p, r)
        return spread(jnp.asarray(self.balls(jnp.asarray(r))), self._batch(p))

    def radius_kinks(self, p: Point) -> tuple[Array, ...]:
        if self.balls is None:
            return super().radius_kinks(p)
        dtype = jnp.result_type(jax.tree.leaves(p)[0], float)
        return tuple(spread(jnp.asarray(x, dtype), self._batch(p)) for x in (*self.ball_kinks, self.width))


def from_functions(
    sample: Any,
    distance: Any,
    *,
    uniforms: int | None = None,
    name: str = "own",
    diameter: float | int | None = None,
    ball_measure: Any = None,
    ball_kinks: Sequence[float] = (),
) -> Own:
    """A space out of a sampler and a distance: what `estimate` and sweeps of simulations need.

    The same functions give spaces that compile once; a lambda that is written anew is another function.

    Args:
        sample: `sample(key, shape)`, as those of `jax.random`: points of that batch shape, coordinates in axes behind
            it. With `uniforms`: `sample(u)` of numbers in [0, 1) of shape (*batch, uniforms), which makes lattices of
            `estimate` count: errors fall faster than those of random points.
        distance: of two batches of points, broadcasting, coordinates along the last axis; or of two single points.
            At least 0, symmetric, 0 between a point and itself; the triangle inequality isn't checked.
        uniforms: how many numbers make one point; None: the sampler takes a key.
        name: in tables and figures.
        diameter: the largest distance; None: not known, or infinite.
        ball_measure: b(r), the share of all points within r, where it is the same around every point: exact accuracies
            need it, and the diameter. Elsewhere they need a class (`docs/howto/space.md`).
        ball_kinks: radii below the diameter where b is not smooth.

    Raises:
        ValueError: functions that don't do this for a few points: a wrong shape, a distance that is negative, NaN, not
            symmetric or beyond the diameter, a ball measure that isn't that of the distances.

    Example:
        >>> import jax
        >>> import jax.numpy as jnp
        >>> from semres_jax import spaces
        >>> square = spaces.from_functions(
        ...     lambda key, shape: jax.random.uniform(key, (*shape, 2)),
        ...     lambda x, y: jnp.abs(x - y).sum(-1), name="square", diameter=2.0)
        >>> square.label, float(square.distance(jnp.array([0.0, 0.25]), jnp.array([0.5, 0.0])))
        ('square', 0.75)
    """
    for what, f in (("sample", sample), ("distance", distance), ("ball_measure", ball_measure)):
        if not callable(f) and not (f is None and what == "ball_measure"):
            raise ValueError(f"{what} must be a function; got {brief(f)}")
    numbers = 0 if uniforms is None else require_count("uniforms", uniforms, 1)
    if diameter is not None:
        require("diameter", diameter, np.nextafter(0.0, 1.0), np.inf, "a distance above 0")
    if ball_measure is not None and diameter is None:
        raise ValueError("a ball measure needs the diameter, the radius from which on it is 1; got None")
    require("ball_kinks", ball_kinks, 0.0, np.inf, "radii, at least 0")
    known = tuple(float(x) for x in np.ravel(np.asarray(ball_kinks, np.float64)))
    width = math.inf if diameter is None else float(diameter)
    axes = _axes(sample, numbers)
    code = _code((sample, distance, ball_measure))
    made = Own(sample, distance, numbers, str(name), axes, True, ball_measure, known, width, code)
    points = made.point(_uniforms(_TRIED, made.uniforms))
    if not all(np.isfinite(np.asarray(leaf)).all() for leaf in jax.tree.leaves(points)):
        raise ValueError("sample must give finite points; got NaN or infinity among them")
    if not _broadcasts(distance, points, axes):
        made = dataclasses.replace(made, broadcasts=False)
    _require_distance(made, points)
    if ball_measure is not None:
        _require_balls(made)
    return made


def _code(functions: Any) -> str:
    """A short name of what functions do, the same in every process: not of what they take from around them."""

    def parts(thing: Any) -> Any:
        code = getattr(thing, "__code__", thing)
        if not hasattr(code, "co_code"):
            return type(thing).__name__ if callable(thing) else repr(thing)
        return code.co_code.hex(), code.co_names, [parts(constant) for constant in code.co_consts]

    return hashlib.sha256(repr([parts(f) for f in functions]).encode()).hexdigest()[:16]


def _uniforms(count: int, numbers: int) -> np.ndarray:
    return np.random.default_rng(0).random((count, numbers), np.float32)


def _called(what: str, call: Callable[[], Any]) -> Any:
    """What a user's function makes, or a line that says what it raised."""
    try:
        return call()
    except Exception as error:  # whatever it is
        if isinstance(error, ValueError) and str(error).startswith("distance(x, y) must"):
            raise
        reason = " ".join(str(error).split())[:100]
        raise ValueError(f"{what} must work on arrays of JAX, traced ones too; it raised {type(error).__name__}: "
                         f"{reason}") from None  # fmt: skip


def _axes(sample: Callable[..., Any], numbers: int) -> tuple[int, ...]:
    """How many axes of coordinates the leaves of a point have, once batches are known to come in front of them."""

    def leaves(*batch: int) -> list[tuple[int, ...]]:
        if numbers:
            u = jax.ShapeDtypeStruct((*batch, numbers), jnp.result_type(float))
            made = _called(f"sample(u) of uniforms (*batch, {numbers})", lambda: jax.eval_shape(sample, u))
        else:
            key = jax.eval_shape(lambda: jax.random.key(0))
            made = _called("sample(key, shape)", lambda: jax.eval_shape(lambda key: sample(key, batch), key))
        return [tuple(leaf.shape) for leaf in jax.tree.leaves(made)]

    several, grid = leaves(3), leaves(2, 3)
    for shape, more in zip(several, grid, strict=True):
        if shape[:1] != (3,) or more != (2, *shape):
            call = f"sample(u), u of shape (2, 3, {numbers})," if numbers else "sample(key, (2, 3))"
            raise ValueError(f"{call} must give points of shape (2, 3, ...); got shape {more}, and {shape} for a batch "
                             "of 3")  # fmt: skip
    return tuple(len(shape) - 1 for shape in several)


def _part(points: Point, where: Any) -> Point:
    return jax.tree.map(lambda leaf: leaf[where], points)


def _broadcasts(distance: Callable[..., Any], points: Point, axes: tuple[int, ...]) -> bool:
    """Whether a distance takes batches against each other, and gives what it gives for single points."""
    left, right = _part(points, np.s_[:3, None]), _part(points, np.s_[None, 3:7])
    try:
        made = np.asarray(jax.jit(distance)(left, right))
    except Exception:  # whatever a user's function raises: of single points it may not
        return False
    if made.shape != (3, 4):
        return False
    try:
        pairs = jax.vmap(jax.vmap(distance, (None, 0)), (0, None))
        single = np.asarray(jax.jit(pairs)(_part(points, np.s_[:3]), _part(points, np.s_[3:7])))
    except Exception:  # the same: it wants batches
        return True
    return single.shape == (3, 4) and np.allclose(single, made, rtol=1e-4, atol=1e-6, equal_nan=True)


def _require_distance(made: Own, points: Point) -> None:
    """Raise `ValueError` unless the distance is one, of a few points."""
    others = _part(points, np.roll(np.arange(_TRIED), 1))
    call = jax.jit(made.distance)
    d, back, own = (np.asarray(_called("distance(x, y)", lambda x=x, y=y: call(x, y)))
                    for x, y in ((points, others), (others, points), (points, points)))  # fmt: skip
    if d.dtype.kind not in "fiu":
        raise ValueError(f"distance must give real numbers; got entries of the kind {d.dtype}")
    if not np.isfinite(np.concatenate([d, back, own])).all():
        raise ValueError("distance must be finite; got NaN or infinity of points that sample made")
    largest = float(abs(d).max())
    if (d < 0).any():
        raise ValueError(f"distance must be at least 0; got {d.min():.6g}")
    if largest == 0:
        raise ValueError(f"distance must tell points apart; got 0 for {_TRIED} pairs that sample made")
    if (off := abs(d - back)).max() > _ROUNDING * largest:
        k = int(off.argmax())
        raise ValueError(f"distance must be symmetric; got d(x, y) = {d[k]:.6g} but d(y, x) = {back[k]:.6g}")
    if abs(own).max() > _AT_ITSELF * largest:
        raise ValueError(f"the distance of a point to itself must be 0; got {own[abs(own).argmax()]:.6g}")
    if largest > made.width * (1 + _ROUNDING):
        raise ValueError(f"diameter must be the largest distance; got {made.width:g}, and points {largest:.6g} apart")


def _require_balls(made: Own) -> None:
    """Raise `ValueError` unless the ball measure is one, and that of the distances of pairs."""
    r = np.linspace(0.0, made.width, 257)
    b = np.asarray(_called("ball_measure(r)", lambda: jax.jit(made.balls)(jnp.asarray(r))), np.float64)
    if b.shape != r.shape or not np.isfinite(b).all():
        raise ValueError(f"ball_measure(r) must give one finite number for each radius; of {r.size} it made {b.shape}")
    if b.min() < -_OF_BALLS or b.max() > 1 + _OF_BALLS or (np.diff(b) < -_OF_BALLS).any() or b[-1] < 1 - _OF_BALLS:
        raise ValueError("ball_measure must rise from 0 to 1 at the diameter; it goes from "
                         f"{b[0]:.4g} to {b[-1]:.4g} there, {b.min():.4g} to {b.max():.4g} between")  # fmt: skip
    points = jax.jit(made.point)(_uniforms(2 * _PAIRS, made.uniforms))
    d = np.asarray(jax.jit(made.distance)(_part(points, np.s_[:_PAIRS]), _part(points, np.s_[_PAIRS:])))
    seen = np.searchsorted(np.sort(d), r, side="right") / _PAIRS
    off = abs(seen - b) - _ERRORS * np.sqrt(np.clip(b * (1 - b), 1 / _PAIRS, None) / _PAIRS)
    if off.max() > 0:
        k = int(off.argmax())
        raise ValueError(f"ball_measure must be the share of points within r: it is {b[k]:.4g} at r = {r[k]:.4g}, and "
                         f"{seen[k]:.4g} of {_PAIRS} pairs that sample made are that close")  # fmt: skip
