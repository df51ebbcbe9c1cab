"""Pictures of these tests are saved at a low resolution: they are about there being files, not about their pixels."""

import sys

import pytest
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure


@pytest.fixture(autouse=True)
def low_resolution(monkeypatch):
    whole = Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda self, *args, **named: whole(self, *args, **{**named, "dpi": 40}))


@pytest.fixture(autouse=True)
def without_pyplot(monkeypatch):
    """What other tests of this process have imported is forgotten: figures are made without pyplot's global state."""
    monkeypatch.delitem(sys.modules, "matplotlib.pyplot", raising=False)


@pytest.fixture
def beside():
    """Checks of a picture of several axes: it goes beside another one, and takes settings of axes."""

    def check(draw, data, **named):
        alone = draw(data, **named)
        assert alone._repr_png_().startswith(b"\x89PNG")
        left, right = Figure(figsize=(20, 5), layout="constrained").subfigures(1, 2)
        assert draw(data, **named, figure=left, facecolor="pink", title="a") is left
        assert len(left.axes) == len(alone.axes)
        assert {ax.get_facecolor() for ax in left.axes if ax.get_label() != "<colorbar>"} == {to_rgba("pink")}
        assert left.get_suptitle() == "a"
        assert not right.axes

    return check
