"""The page without a browser: structure, its grids against the engine, its programs in a JavaScript engine."""

import base64
import re

import numpy as np
import pytest

from semres_jax import frontier, laws, similarity, spaces
from semres_jax.explore import grids, make_page
from semres_jax.explore.page import MOST_BYTES, check

# Single precision of numbers up to 1, and the engine's own error.
SINGLE = 1e-7
# Double precision, through sums of a hundred terms.
DOUBLE = 1e-12


def _unpacked(text, kind="<f4"):
    return np.frombuffer(base64.b64decode(text), kind)


def _exact(space, name, epsilon, delta, n, exponent):
    return laws.accuracy(space, similarity.get(name)(epsilon, delta), n=n, exponent=exponent)


def test_everything_is_in_one_file_of_less_than_5_mb(page):
    assert len(page.encode()) < 5_000_000
    assert "http:" not in page
    assert "https:" not in page
    assert not re.findall(r"(?:src|href)\s*=\s*[\"'](?!data:)", page)
    assert not re.findall(r"@import|url\(|fetch\(|XMLHttpRequest|import\(|<link rel=\"stylesheet|WebSocket", page)
    assert "default-src 'none'" in page  # the browser refuses what the above may have missed
    assert not re.findall(r"\{\{\w+\}\}", page)


def test_controls_have_labels_and_names_do_no_harm(page, content):
    for control in re.findall(r'<(?:input|select)[^>]* id="([\w-]+)"', page):
        assert f'<label for="{control}">' in page, control
    assert 'aria-live="polite"' in page
    assert '<html lang="en">' in page
    assert "<b id='broken'>" not in page
    assert "&lt;test&gt;" in page
    assert content["layers"][1]["name"] == "</script><b id='broken'>&"
    for name in ("command", "semres_jax", "commit", "jax", "started", "seconds"):
        assert name in content["made"]


def test_stops_of_sweeps_are_among_the_fine_ones():
    assert set(grids.SHARES) <= set(grids.FINE["shares"])
    assert set(grids.DELTAS) <= set(grids.FINE["deltas"])
    assert set(grids.NS) <= set(grids.FINE["ns"])
    assert set(grids.EXPONENTS) <= set(grids.FINE["exponents"])
    assert all(list(values) == sorted(set(values)) for values in grids.FINE.values())


def test_grids_are_the_engine_s_numbers(content, places):
    rng, stops = np.random.default_rng(1), content["stops"]
    for label, space in places.items():
        own = content["spaces"][label]
        assert ("constant" in own["grids"]) == (label in ("interval", "ring"))
        for name, grid in own["grids"].items():
            shape = (len(stops["exponents"]), len(own["ns"]), len(stops["deltas"]), len(stops["shares"]))
            both = [_unpacked(grid[p]).reshape(shape) for p in ("p_s", "p_i")]
            at = tuple(int(rng.integers(size)) for size in shape)
            exponent, n = stops["exponents"][at[0]], own["ns"][at[1]]
            epsilon, delta = stops["shares"][at[3]] * own["width"], stops["deltas"][at[2]]
            exact = _exact(space, name, epsilon, delta, n, exponent)
            np.testing.assert_allclose([both[0][at], both[1][at]], exact, atol=SINGLE, err_msg=f"{label} {name} {at}")


def test_the_best_similarities_are_the_engine_s(content):
    optima = content["optima"]
    row = optima["floors"].index(0.1)
    best = frontier.optimal(0.1, levels=129)
    assert _unpacked(optima["p_s"], "<f8").reshape(len(optima["floors"]), -1)[row, 0] == best.accuracy.p_s
    assert optima["fronts"][row][-1] == pytest.approx([best.accuracy.p_i, best.accuracy.p_s], abs=1e-12)
    h = _unpacked(optima["h"]).reshape(len(optima["floors"]), len(content["stops"]["ns"]), -1)[row, 0]
    assert h[0] == 1
    assert h[-1] == pytest.approx(0.1, abs=1e-7)


def test_laws_in_javascript_are_the_engine_s(javascript, places, counts):
    """200 random settings of the constant similarity in closed form, on spaces of one ball measure and of moments."""
    rng = np.random.default_rng(2)
    settings = []
    for k in range(200):
        label = ("circle", "interval")[k % 2]
        n = 2 if label == "interval" else int(rng.choice(counts))
        delta = 0.0 if k % 10 < 2 else float(rng.uniform())
        epsilon = float(rng.uniform(0, 1.1 * float(places[label].diameter)))
        settings.append({
            "space": label, "similarity": "constant", "epsilon": epsilon, "delta": delta, "n": n,
            "exponent": float(rng.uniform(0.1, 6)),
        })  # fmt: skip
    statements = f"const m = modelOf(data); return {settings!r}.map((s) => [m.settled(s), m.numbersAt(m.settled(s))]);"
    for wanted, (settled, numbers) in zip(settings, javascript(statements), strict=True):
        assert settled == wanted
        assert numbers["law"] != ""
        exact = _exact(places[wanted["space"]], "constant", *(wanted[x] for x in ("epsilon", "delta", "n", "exponent")))
        np.testing.assert_allclose([numbers["pS"], numbers["pI"]], exact, atol=DOUBLE, err_msg=str(wanted))


def test_the_linear_law_in_javascript_is_the_engine_s(javascript):
    b = [*np.linspace(0.01, 1, 30), *np.geomspace(1.001, 50, 40)]
    numbers = javascript(f"return {[float(x) for x in b]}.map((b) => laws.linear(b));")
    exact = laws.linear(np.array(b))
    np.testing.assert_allclose([pair["pS"] for pair in numbers], exact.p_s, atol=DOUBLE)
    np.testing.assert_allclose([pair["pI"] for pair in numbers], exact.p_i, atol=DOUBLE)


def test_similarities_in_javascript_are_the_engine_s(javascript, x64):
    d = np.linspace(0, 2, 41)
    for name in grids.SIMILARITIES:
        for epsilon, delta in ((0.0, 0.1), (0.3, 0.0), (0.7, 0.25)):
            values = javascript(f"return {d.tolist()}.map((d) => laws.similarity('{name}', {epsilon}, {delta}, d));")
            exact = np.asarray(similarity.get(name)(epsilon, delta)(d), float)
            np.testing.assert_allclose(values, exact, atol=DOUBLE, err_msg=name)


def test_wanted_settings_go_to_the_nearest_stop(javascript):
    wanted = {"space": "interval", "similarity": "linear", "epsilon": 0.29, "delta": 0.06, "n": 5, "exponent": 1.2}
    run = "const m = modelOf(data); return [m.settled({}), m.toHash(m.settled({}))]"
    first, text = javascript(run)
    assert first == {
        "space": "circle", "similarity": "constant", "epsilon": 0.25, "delta": 0, "n": 2, "exponent": 1
    }  # fmt: skip
    assert text == "#space=circle&similarity=constant&epsilon=0.25&delta=0&n=2&exponent=1" or "epsilon=0.25" in text
    settled = javascript(f"const m = modelOf(data); return m.settled({wanted!r})")
    assert settled == wanted | {"epsilon": 0.3, "delta": 0.05, "n": 3, "exponent": 1}
    odd = "{space: 'nowhere', epsilon: 'x', n: -3, delta: 7, exponent: NaN, similarity: '?'}"
    settled = javascript(f"const m = modelOf(data); return m.settled({odd})")
    assert settled == first | {"delta": 1}


def test_every_stop_of_every_slider_has_a_number(javascript):
    count = javascript("""
      const m = modelOf(data);
      let count = 0;
      for (const space of m.spaces) for (const similarity of data.similarities) {
        const setting = m.settled({ space, similarity });
        for (const name of m.NAMES) for (const value of m.stopsOf(name, setting)) {
          const here = m.settled({ ...setting, [name]: value }), { pS, pI } = m.numbersAt(here);
          if (here[name] !== value || !(pS > 0 && pS <= 1 && pI > 0 && pI <= 1)) throw new Error(JSON.stringify(here));
          count += 1;
        }
      }
      return count;
    """)
    assert count > 3 * 3 * 10


def test_what_no_page_can_be_made_of_is_refused():
    with pytest.raises(ValueError, match="no exact engine"):
        check({"torus": spaces.get("torus(3, l2)")})
    with pytest.raises(ValueError, match="at least one space"):
        check({})
    with pytest.raises(ValueError, match="need 3 stimuli"):
        make_page({"two": spaces.Finite([[0.0, 1.0], [1.0, 0.0]])})
    with pytest.raises(ValueError, match="is the most; give fewer"):
        check({"circle": spaces.Circle()}, ["x" * MOST_BYTES])
