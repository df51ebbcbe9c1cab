"""How far a panel of distances may reach: as wide as a Gauss rule of some 16 nodes bears, lane by lane.

A lane walks from the farthest distance to 0. It stops at every kink, of the ball as of g, and where one of these has
changed by more than a polynomial of that degree follows: the density of distances, what n - 1 items leave of the mass
beyond (`mass_stops`, which hang on the probe only), ln g, and what g has above its floor (`Steps`). What only vanishes
like a power at the end of a panel is a polynomial there: it is compared with its value in the middle.

Where the ball goes as a square root next to its kinks, panels that end there are narrower, as the rule for them sees
the root of the distance (`_integrals`), and panels beside them widen by a factor.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from semres_jax._types import Array
from semres_jax.laws._setting import Rule, Setting

# Nats by which the masses of the last and the first quarter of a panel differ, and those of the two in the middle from
# both; and by which what n - 1 items leave of the mass beyond falls.
_SLOPE, _BEND, _LEFT = 9.0, 1.5, 12.0
# How far a panel may reach where space is curved like the hyperbolic plane, in radii of curvature.
_CURVED = 5.0
# How much of the nats of ln g may lie between the middle of a panel and its end: half where g is an exponential.
_HALF = 0.6
# Nats of what g has above its floor, up to the middle, from so many floors down to nothing: in shares of `Rule.nats`.
_SETTLING, _SETTLED, _SETTLED_ALL = 0.6, math.exp(4.0), math.exp(-17.0)
# What these are shares of at an end with a square root.
_STEEP = 0.5
# How much wider a panel may be than its distance to a kink with a square root.
_WIDENS = 6.0
# A mass that is nothing, and one that is but rounding; e^-_FEW of all items is none.
_NO_MASS, _ROUNDING, _FEW = 1e-15, 1e-16, 40.0
# Stops at masses, at most.
_STOPS = 40
# Widths that are looked at, in halvings of the way to the next kink; and how finely the width is looked for then.
_HALVINGS = np.array([0, 0.1, 0.25, 0.5, 0.8, 1.2, 1.7, 2.3, 3, 4, 5.5, 7.5, 10, 14, 20, 28, 38])
_FINER = 8
# Widths of panels between masses, in shares of the way to the next kink.
_DYADIC = 2.0 ** -np.arange(26.0)
# How close to a kink is just beside it.
_BESIDE = 2.0**-40

Function = Callable[[Array], Array]


def mass_stops(ball: Function, own: Array, most: int, curvature_radius: float) -> Array:
    """(stops, lanes) distances between which the ball is a polynomial, as good as; 0 where there are no more.

    Args:
        ball: of distances (..., lanes).
        own: (k, lanes) kinks of it.
        most: the largest number of items.
        curvature_radius: of the space, as there.
    """
    own = jax.lax.stop_gradient(own)
    rounding = _rounding(jnp.max(own, axis=0))

    def narrow(quarters: Array, width: Array) -> Array:
        """Whether panels are narrow enough, of the balls (5, ...) at their quarters from start to end."""
        first, second, third, fourth = jnp.log(jnp.maximum(jnp.diff(quarters, axis=0), 0.0) + _ROUNDING)
        straight = (jnp.abs(fourth - first) <= _SLOPE) & (second + third - first - fourth <= _BEND)
        if curvature_radius < math.inf:
            straight = straight & (width <= _CURVED * curvature_radius)
        if most > 2:
            near, far = (jnp.log(jnp.maximum(1.0 - b, _ROUNDING)) for b in (quarters[0], quarters[4]))
            straight = straight & (near - jnp.maximum(far, -_FEW / (most - 1.0)) <= _LEFT / (most - 1.0))
        return straight | (quarters[4] <= _NO_MASS) | (quarters[0] >= 1.0 - _NO_MASS)

    def more(state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        at, stops, count = state
        kink = jnp.max(jnp.where(own < at - rounding, own, 0.0), axis=0)
        # Panels of the way and its halves: their quarters are whole, halves and three quarters of them.
        way, shares = at - kink, jnp.asarray(_DYADIC, at.dtype)[:, None]
        here, three = ball(at - way * shares), ball(at - way * 0.75 * shares)
        here = here.at[0].set(ball(kink + way * _BESIDE))
        end = jnp.broadcast_to(ball(at - way * _BESIDE), here[2:].shape)
        fits = narrow(jnp.stack([here[:-2], three[:-2], here[1:-1], here[2:], end]), way * shares[:-2])
        widest = jnp.max(jnp.where(fits, shares[:-2], shares[-2]), axis=0)
        start = jnp.where(widest >= 1.0, kink, at - way * widest)
        start = jnp.where(at > 0, start, 0.0)
        return start, jax.lax.dynamic_update_index_in_dim(stops, start, count, 0), count + 1

    first = jnp.max(own, axis=0)
    state = first, jnp.zeros((_STOPS, *first.shape), first.dtype), jnp.zeros((), jnp.int32)
    _, stops, _ = jax.lax.while_loop(lambda s: (s[2] < _STOPS) & jnp.any(s[0] > 0), more, state)
    return jax.lax.stop_gradient(stops)


def _rounding(farthest: Array) -> Array:
    return jax.lax.stop_gradient(4.0 * float(jnp.finfo(farthest.dtype).eps) * farthest)


def _widest(end: Array, kink: Array, fits: Function) -> tuple[Array, Array]:
    """Whether a panel from the kink to `end` fits, and where the widest starts that does, looked for among a few.

    Args:
        end, kink: (lanes,).
        fits: whether panels with starts (looks, lanes) do.
    """
    way = end - kink

    def looked_at(halvings: Array) -> Array:
        return fits(jnp.where(halvings <= 0, kink + way * _BESIDE, end - way * jnp.exp2(-halvings)))

    looks = jnp.broadcast_to(jnp.asarray(_HALVINGS, end.dtype)[:, None], (len(_HALVINGS), *end.shape))
    high = jnp.min(jnp.where(looked_at(looks), looks, _HALVINGS[-1]), axis=0)
    low = jnp.max(jnp.where(looks < high, looks, 0.0), axis=0)
    looks = low + (high - low) * (jnp.arange(1, _FINER, dtype=end.dtype)[:, None] / _FINER)
    finer = jnp.min(jnp.where(looked_at(looks), looks, high), axis=0)
    return high <= 0, end - way * jnp.exp2(-finer)


class Walk(NamedTuple):
    """Where the lanes are."""

    at: Array  # (lanes,) the distance that has been reached
    steep: Array  # whether it is a kink of the ball with a square root ...
    passed: Array  # ... the last that was


class Step(NamedTuple):
    """A panel, from `start` up to `end`."""

    start: Array
    end: Array
    steep_start: Array
    steep_end: Array


class Steps:
    """The panels of lanes, whose last axis all arrays share.

    Args:
        log_g: of distances (..., lanes).
        given: of the lanes.
        own, kinks: (k, lanes) of the ball, and of g.
        stops: of the ball, as `mass_stops` gives them.
        smooth: whether the ball is smooth up to its kinks.
    """

    def __init__(
        self,
        log_g: Function,
        given: Setting,
        own: Array,
        kinks: Sequence[Any],
        stops: Array,
        smooth: bool,
        rule: Rule,
    ):
        self.log_g, self.given, self.rule, self.smooth = log_g, given, rule, smooth
        self.own, self.farthest = own, jnp.max(own, axis=0)
        self.rounding = _rounding(self.farthest)
        cut = jnp.where(jnp.isfinite(given.cut), given.cut, 0.0)
        self.kinks = jnp.stack([jnp.zeros_like(cut), *(jnp.broadcast_to(kink, cut.shape) for kink in kinks)])
        self.stops = jnp.concatenate([jnp.broadcast_to(stops, (len(stops), *cut.shape)), cut[None]])

    def first(self, wanted: Array) -> Walk:
        at = jnp.where(wanted, self._met(jnp.minimum(self.farthest, self.given.last)), 0.0)
        return Walk(at, *self._steepness(at, jax.lax.stop_gradient(self.farthest)))

    def ended(self) -> Array:
        """The distance from which on g is 0, or the farthest."""
        return self._met(jnp.minimum(self.farthest, self.given.end))

    def step(self, walk: Walk, whole: Array) -> tuple[Walk, Step]:
        """The next panel of every lane; where `whole`, up to the next stop whatever is between."""
        stop = self._below(walk.at)
        reaches, start = self._start(*jax.tree.map(jax.lax.stop_gradient, (walk, stop)))
        start = jnp.where(reaches | whole, stop, jax.lax.stop_gradient(start))
        start = jnp.where(walk.at > 0, start, 0.0)
        after = Walk(start, *self._steepness(start, walk.passed))
        return after, Step(start, walk.at, after.steep | (start <= 0), walk.steep)

    def _met(self, at: Array) -> Array:
        """`at`, or the kink that it meets: of the ball, or else of g. Kinks move, other ends of panels don't."""
        for points in (self.kinks, self.own):
            near = jnp.abs(points - at) <= self.rounding
            at = jnp.where(jnp.any(near, axis=0), jnp.max(jnp.where(near, points, 0.0), axis=0), at)
        return at

    def _below(self, at: Array) -> Array:
        """The next stop, or 0. Kinks that meet move as that of the ball, and take stops with them."""
        next_ = jnp.zeros_like(at)
        for points in (self.own, self.kinks, self.stops):
            other = jnp.max(jnp.where(points < at - self.rounding, points, 0.0), axis=0)
            next_ = jnp.where(other > next_ + self.rounding, other, next_)
        return next_

    def _steepness(self, at: Array, passed: Array) -> tuple[Array, Array]:
        if self.smooth:
            return jnp.zeros(at.shape, bool), passed
        at = jax.lax.stop_gradient(at)
        steep = jnp.any(jnp.abs(self.own - at) <= self.rounding, axis=0)
        return steep, jnp.where(steep, at, passed)

    def _start(self, walk: Walk, stop: Array) -> tuple[Array, Array]:
        """Whether the next panel reaches the stop; if not, where it starts."""
        end, given = walk.at, self.given
        way = end - stop
        above = jnp.maximum(self.log_g(end - way * _BESIDE), -given.depth)
        steep_stop = (stop <= 0) | self._steepness(stop, stop)[0]
        some = given.floor > -jnp.inf
        floor = jnp.where(some, given.floor, 0.0)
        least, most = _SETTLED_ALL * -jnp.expm1(floor), _SETTLED * -jnp.expm1(floor)

        def fits(start: Array) -> Array:
            steep = walk.steep | (steep_stop & (start - stop <= 2.0 * _BESIDE * way))
            share = jnp.where(steep, _STEEP, 1.0)
            log, middle = (jnp.maximum(self.log_g(r), -given.depth) for r in (start, 0.5 * (start + end)))
            over, over_middle = (jnp.clip(jnp.expm1(x * given.root - floor), least, most) for x in (log, middle))
            settled = over <= over_middle * jnp.exp(share * _SETTLING * self.rule.nats)  # in floors
            nats = share * self.rule.nats * given.share
            return (log - above <= nats) & (middle - above <= _HALF * nats) & (settled | ~some)

        reaches, start = _widest(end, stop, fits)
        if not self.smooth:
            below = jnp.max(jnp.where(self.own < end - self.rounding, self.own, 0.0), axis=0)
            widest = jnp.where(walk.steep, jnp.inf, _WIDENS * (walk.passed - end))
            reaches = reaches & (way <= widest)
            reaches = reaches & ((below >= stop - self.rounding) | (way <= _WIDENS * (stop - below)))
            start = jnp.maximum(jnp.maximum(start, end - widest), (end + _WIDENS * below) / (1.0 + _WIDENS))
        return reaches, start
