"""The page in headless Chromium, at its own speed: what sliders say, the URL's hash, no request, no error."""

import json

import numpy as np
import pytest

from semres_jax import laws, similarity

DOUBLE, SWEPT = 1e-12, 1e-6
# Another hash, and wait until the page has heard of it.
_GO = """(hash) => new Promise((done) => {
  addEventListener("hashchange", () => done(), { once: true });
  location.hash = hash;
})"""
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 360, "height": 740}


@pytest.fixture(scope="module")
def file(page, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "explore.html"
    path.write_text(page, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def browser(chromium):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as tools:
        browser = tools.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def opened(browser, file):
    """Open the page with a hash; at the end nothing was written to the console, and nothing was requested but it."""
    tabs, said, requests = [], [], []

    def opened(hash="", size=WIDE):
        tab = browser.new_page(viewport=size)
        tab.on("console", lambda message: said.append(message.text))
        tab.on("pageerror", lambda error: said.append(str(error)))
        tab.on("request", lambda request: requests.append(request.url))
        tab.goto(file.as_uri() + hash)
        tabs.append(tab)
        return tab

    yield opened
    for tab in tabs:
        tab.close()
    assert said == []
    assert [url for url in requests if not url.startswith((file.as_uri(), "data:"))] == []


def _numbers(tab):
    return json.loads(tab.evaluate("JSON.stringify(document.querySelector('#numbers').dataset)"))


def _exact(places, numbers):
    make = similarity.get(numbers["similarity"])
    n, exponent = int(numbers["n"]), float(numbers["exponent"])
    own = make(float(numbers["epsilon"]), float(numbers["delta"]))
    return laws.accuracy(places[numbers["space"]], own, n=n, exponent=exponent)


def _assert_exact(places, numbers, tolerance):
    pair = [float(numbers["pS"]), float(numbers["pI"])]
    np.testing.assert_allclose(pair, _exact(places, numbers), atol=tolerance, err_msg=str(numbers))


def test_200_random_settings_of_the_closed_form(opened, places, counts):
    tab, rng = opened(), np.random.default_rng(3)
    for _ in range(200):
        n, exponent = int(rng.choice(counts)), rng.uniform(0.1, 6)
        setting = f"epsilon={rng.uniform(0, 0.55)!r}&delta={rng.uniform()!r}&n={n}&exponent={exponent!r}"
        tab.evaluate(_GO, f"space=circle&similarity=constant&{setting}")
        numbers = _numbers(tab)
        assert (numbers["law"], int(numbers["n"]), float(numbers["exponent"])) == ("theorem 3", n, exponent)
        _assert_exact(places, numbers, DOUBLE)


def test_20_random_settings_of_the_sliders(opened, places):
    tab, rng = opened(), np.random.default_rng(4)
    seen = set()
    for _ in range(20):
        for name in ("space", "similarity"):
            count = tab.locator(f"#{name} option").count()
            tab.select_option(f"#{name}", index=int(rng.integers(count)))
        for name in ("n", "exponent", "delta", "epsilon"):
            most = int(tab.get_attribute(f"#{name}", "max") or 0)
            place = int(rng.integers(most + 1))
            tab.locator(f"#{name}").fill(str(place))
            assert tab.input_value(f"#{name}") == str(place)
        numbers = _numbers(tab)
        _assert_exact(places, numbers, SWEPT)
        assert f"p_S = {float(numbers['pS']):.6f}" in tab.inner_text("#numbers").replace("pS", "p_S")
        seen.add((numbers["space"], numbers["similarity"]))
    assert len(seen) > 4


def test_arrow_keys_move_a_slider_and_the_point(opened, places):
    tab = opened("#space=circle&similarity=linear&delta=0.1&n=3")
    before, where = _numbers(tab), tab.inner_html("#plane")
    tab.focus("#epsilon")
    tab.keyboard.press("ArrowRight")
    after = _numbers(tab)
    assert float(after["epsilon"]) > float(before["epsilon"])
    assert tab.inner_html("#plane") != where
    _assert_exact(places, after, SWEPT)
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.id") == "delta"
    assert after["epsilon"][:5] in (tab.get_attribute("#epsilon", "aria-valuetext") or "")


def test_the_hash_holds_the_state(opened):
    tab = opened()
    tab.select_option("#space", "interval")
    tab.select_option("#similarity", "exponential")
    tab.select_option("#against", "b")
    tab.locator("#n").fill("2")
    tab.locator("#delta").fill("1")
    tab.check("#run-0")
    tab.locator("#frame-0").fill("1")
    numbers, hash = _numbers(tab), tab.evaluate("location.hash")
    again = opened(hash)
    assert _numbers(again) == numbers
    assert again.evaluate("location.hash") == hash
    assert again.input_value("#against") == "b"
    assert again.is_checked("#run-0")
    assert again.input_value("#frame-0") == "1"
    assert again.inner_html("#views") == tab.inner_html("#views")
    for odd in ("#space=nowhere&n=%E0&epsilon", "#layers=7:9,x&&=", "#delta=-1&layers=0:99"):
        assert 0 < float(_numbers(opened(odd))["pS"]) < 1


def test_layers_are_drawn_when_they_are_switched_on(opened):
    tab = opened()
    assert tab.is_visible("#layers")
    assert "toy: ring" not in tab.inner_text("#views")
    tab.check("#run-0")
    assert "toy: ring, step 2" in tab.inner_text("#plane")
    tab.focus("#frame-0")
    tab.keyboard.press("ArrowLeft")
    assert "toy: ring, step 1" in tab.inner_text("#plane")
    tab.check("#run-1")
    assert "</script><b id='broken'>&, n·" in tab.inner_text("#items")
    assert tab.locator("#broken").count() == 0


def test_a_phone_scrolls_down_only_and_paper_has_no_sliders(opened, places):
    tab = opened(size=NARROW)
    for space in places:
        tab.select_option("#space", space)
        assert tab.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
    controls = "[...document.querySelectorAll('input[type=range], select')].filter((x) => x.offsetParent)"
    assert tab.evaluate(f"{controls}.filter((x) => x.clientHeight < 24).length") == 0
    tab.emulate_media(media="print")
    assert not tab.is_visible("#epsilon")
    assert tab.is_visible("#plane svg")
