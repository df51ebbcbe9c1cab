"""Ball measures against references computed here in another way, with 30 digits."""

import itertools
import math
from fractions import Fraction

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest

from semres_jax import spaces
from semres_jax.spaces._integrals import chi_quantile

TOLERANCE = 1e-12  # absolute, float64: what quadratures over probes and radii count on
pytestmark = pytest.mark.usefixtures("x64")


@pytest.fixture(autouse=True)
def thirty_digits():
    with mp.workdps(30):
        yield


def on_axis(length, dim):
    return np.eye(1, dim)[0] * float(length)


def solid_cap(dim, height):
    """Share of the unit ball of R^dim beyond the plane at signed distance `height`: one-dimensional quadrature."""
    volume = mp.pi ** (mp.mpf(dim) / 2) / mp.gamma(mp.mpf(dim) / 2 + 1)
    slice_volume = mp.pi ** (mp.mpf(dim - 1) / 2) / mp.gamma(mp.mpf(dim + 1) / 2)
    height = min(max(height, -1), 1)
    return slice_volume * mp.quad(lambda a: mp.sin(a) ** dim, [0, mp.acos(height)]) / volume


@pytest.mark.thorough(keep=3)
@pytest.mark.parametrize("dim", [1, 2, 3, 9, 30, 200])
def test_sphere_is_the_incomplete_beta_function(dim):
    r = np.array([1e-3, 0.3, 1.0, 1.5, np.pi / 2, 2.0, 3.0, 3.14])
    b = spaces.Sphere(dim).ball_measure(np.zeros(dim + 1), r)
    for radius, measure in zip(r, np.asarray(b), strict=True):
        sine = mp.sin(mp.mpf(radius))
        half = mp.betainc(mp.mpf(dim) / 2, 0.5, 0, sine**2, regularized=True) / 2
        assert abs((half if radius <= np.pi / 2 else 1 - half) - measure) < TOLERANCE
    assert float(spaces.Sphere(dim).ball_measure(np.zeros(dim + 1), np.pi)) == 1.0


@pytest.mark.thorough(keep=10)
@pytest.mark.parametrize("dim", [1, 2, 3, 10])
@pytest.mark.parametrize(
    ("rho", "r"), [(0, 0.4), (0, 1), (0.5, 0.5), (0.5, 0.9), (0.999, 0.01), (1, 1), (0.2, 1.1), (1, 1.99)]
)
def test_ball_is_a_lens(dim, rho, r):
    if r <= 1 - rho:
        lens = mp.mpf(r) ** dim
    else:
        plane = (1 + mp.mpf(rho) ** 2 - mp.mpf(r) ** 2) / (2 * mp.mpf(rho))
        lens = solid_cap(dim, plane) + mp.mpf(r) ** dim * solid_cap(dim, (rho - plane) / r)
    assert abs(lens - float(spaces.Ball(dim).ball_measure(on_axis(rho, dim), r))) < TOLERANCE


@pytest.mark.thorough(keep=14)
@pytest.mark.parametrize("dim", [1, 2, 3, 10])
@pytest.mark.parametrize(
    ("rho", "r"), [(0, 0.5), (0, 3), (0.3, 1e-3), (1, 1), (2, 4), (4, 3.5), (9, 9), (9, 2), (9, 14), (3, 12)]
)
def test_gaussian_is_the_noncentral_chi_square_distribution(dim, rho, r):
    rate, x = mp.mpf(rho) ** 2 / 2, mp.mpf(r) ** 2 / 2
    mixture = mp.fsum(
        mp.exp(-rate) * rate**j / mp.factorial(j) * mp.gammainc(mp.mpf(dim) / 2 + j, 0, x, regularized=True)
        for j in range(150)
    )
    assert abs(mixture - float(spaces.Gaussian(dim).ball_measure(on_axis(rho, dim), r))) < TOLERANCE


@pytest.mark.parametrize("radius", [0.5, 2.0, 5.0])
@pytest.mark.parametrize(
    ("place", "part"), [(0.0, 0.3), (0.5, 0.2), (0.5, 0.6), (0.9, 0.5), (1.0, 0.01), (1.0, 1.9), (0.3, 0.71)]
)
def test_hyperbolic_is_an_area(radius, place, part):
    """Area in polar coordinates around the probe: at distance s, the share of the circle inside the disk."""
    t, r, edge = mp.mpf(place) * radius, mp.mpf(part) * radius, mp.mpf(radius)

    def inside(s):
        if t == 0:
            return mp.mpf(s <= edge)
        cosine = (mp.cosh(s) * mp.cosh(t) - mp.cosh(edge)) / (mp.sinh(s) * mp.sinh(t))
        return mp.acos(min(max(cosine, -1), 1)) / mp.pi

    ends = sorted({mp.mpf(0), min(r, edge - t), min(r, edge + t)})
    area = mp.quad(lambda s: 2 * mp.pi * mp.sinh(s) * inside(s), ends) / (4 * mp.pi * mp.sinh(edge / 2) ** 2)
    p = np.array([float(mp.sinh(t / 2)), 0.0])
    assert abs(area - float(spaces.Hyperbolic(radius).ball_measure(p, float(r)))) < TOLERANCE


@pytest.mark.parametrize("dim", [1, 2, 3, 8, 20])
def test_torus_l1_is_irwin_hall(dim):
    for r in (0.1, 0.25, 0.5, 0.1234 * dim, 0.41 * dim, 0.5 * dim):
        x = 2 * mp.mpf(r)
        terms = ((-1) ** k * mp.binomial(dim, k) * (x - k) ** dim for k in range(int(x) + 1))
        exact = min(mp.fsum(terms) / mp.factorial(dim), mp.mpf(1)) if x < dim else mp.mpf(1)
        assert abs(exact - float(spaces.Torus(dim, "l1").ball_measure(np.zeros(dim), r))) < TOLERANCE


@pytest.mark.parametrize("r", [0.2, 0.5, 0.51, 0.6, 0.7, 0.8])
def test_torus_l2_is_a_disk_in_a_square(r):
    corner = mp.sqrt(max(mp.mpf(r) ** 2 - 0.25, 0))
    column = lambda x: 2 * min(mp.mpf("0.5"), mp.sqrt(max(mp.mpf(r) ** 2 - x**2, 0)))  # noqa: E731
    ends = sorted({mp.mpf(0), min(corner, mp.mpf("0.5")), min(mp.mpf(r), mp.mpf("0.5"))})
    assert abs(2 * mp.quad(column, ends) - float(spaces.Torus(2, "l2").ball_measure(np.zeros(2), r))) < TOLERANCE
    assert not spaces.Torus(3, "l2").has_ball_measure
    with pytest.raises(NotImplementedError, match=r"torus\(3, l2\).*estimate"):
        spaces.Torus(3, "l2").ball_measure(np.zeros(3), r)


@pytest.mark.thorough(keep=2)
@pytest.mark.parametrize("dim", [1, 7, 10, 40, 100])
def test_hamming_counts_binomially_and_agrees_with_its_sampler_at_every_step(dim):
    space = spaces.Hamming(dim)
    zero = space.point(jnp.zeros((1, space.uniforms)))
    # A point with its k lowest bits set: 16 bits to a uniform.
    lowest = [[2.0 ** -min(16, dim - 16 * j) * (2 ** min(max(k - 16 * j, 0), 16) - 1) for j in range(space.uniforms)]
              for k in range(dim + 1)]  # fmt: skip
    exact = [Fraction(sum(math.comb(dim, j) for j in range(k + 1)), 2**dim) for k in range(dim + 1)]
    for double in (False, True):
        with jax.enable_x64(double):
            dtype = jnp.result_type(float)
            d = np.asarray(jax.jit(space.distance)(space.point(jnp.asarray(lowest, dtype)), zero))
            # As one would type it: the quotient, rounded once. XLA's own k / dim is off by a unit for many k.
            np.testing.assert_array_equal(d, (np.arange(dim + 1) / dim).astype(d.dtype))
            for r in (d, np.nextafter(d, np.asarray(2, d.dtype))):
                b = np.asarray(jax.jit(space.ball_measure)(zero, r))
                np.testing.assert_allclose(b, np.array(exact, float), rtol=0, atol=TOLERANCE if double else 1e-7)
            just_less = np.where(d > 0, np.nextafter(d, np.asarray(-1, d.dtype)), np.asarray(-1e-30, d.dtype))
            below = np.asarray(jax.jit(space.ball_measure)(zero, just_less))
            np.testing.assert_allclose(below, [0.0, *map(float, exact[:-1])], rtol=0, atol=1e-7)


def test_products_multiply():
    circle, line = spaces.Circle(), spaces.Interval()
    p, r = (jnp.asarray(0.2), jnp.asarray(0.1)), 0.15
    a, b = float(circle.ball_measure(p[0], r)), float(line.ball_measure(p[1], r))
    assert a == pytest.approx(0.3, abs=1e-15)
    assert b == pytest.approx(0.25, abs=1e-15)
    assert float(spaces.Product((circle, line)).ball_measure(p, r)) == pytest.approx(a * b, abs=1e-15)
    assert float(spaces.Product((circle, line), "min").ball_measure(p, r)) == pytest.approx(a + b - a * b, abs=1e-15)
    for metric in ("l1", "l2"):
        assert not spaces.Product((circle, line), metric).has_ball_measure
        with pytest.raises(NotImplementedError, match=f"circle, interval; {metric}"):
            spaces.Product((circle, line), metric).ball_measure(p, r)


@pytest.mark.parametrize("dim", [1, 2, 3, 4, 10, 30])
def test_gaussian_probes_sit_at_exact_quantiles(dim):
    v = np.array([0.0, 1e-300, 1e-9, 0.01, 0.3, 0.49999, 0.5, 0.8, 0.999, 1 - 1e-10, 1 - 2.0**-52, 1 - 2.0**-53])
    for share, radius in zip(v, np.asarray(chi_quantile(dim, jnp.asarray(v))), strict=True):
        s, k = mp.mpf(float(radius)), mp.mpf(dim) / 2
        if share == 0:
            assert radius == 0
            continue
        density = s ** (dim - 1) * mp.exp(-(s**2) / 2) / (2 ** (k - 1) * mp.gamma(k))
        # One Newton step at 30 digits tells the error of the radius, absolutely and relative to it.
        error = abs((mp.gammainc(k, 0, s**2 / 2, regularized=True) - mp.mpf(float(share))) / density)
        assert error < 1e-13 * max(1, s)
        assert error < 1e-12 * s


def test_average_over_probes_by_quadrature_is_the_average_over_the_space():
    """⟨b⟩ of the interval is 2r - r²; of the disk, P(two points within r), a polynomial-free check by another route."""
    nodes, weights = np.polynomial.legendre.leggauss(40)
    r = 0.3
    for space, exact in (
        (spaces.Interval(), 2 * r - r**2),
        (spaces.Ball(1), r - r**2 / 4),
        (spaces.Gaussian(1), math.erf(r / 2)),
    ):
        (kinks,) = space.probe_kinks(r)
        ends = np.unique([0.0, 0.9, 0.999, *(float(k) for k in kinks if 0 < k < 1), 1.0])
        total = 0.0
        for low, high in itertools.pairwise(ends):
            v = (low + high) / 2 + (high - low) / 2 * nodes
            total += (
                (high - low)
                / 2
                * float(weights @ np.asarray(space.ball_measure(space.probe(jnp.asarray(v)[:, None]), r)))
            )
        assert total == pytest.approx(exact, abs=1e-7 if space.name == "gaussian" else 1e-13)
