"""Pictures of these tests are saved at a low resolution: they are about there being files, not about their pixels."""

import sys

import pytest
from matplotlib.figure import Figure


@pytest.fixture(autouse=True)
def low_resolution(monkeypatch):
    whole = Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda self, *args, **named: whole(self, *args, **{**named, "dpi": 40}))


@pytest.fixture(autouse=True)
def without_pyplot(monkeypatch):
    """What other tests of this process have imported is forgotten: figures are made without pyplot's global state."""
    monkeypatch.delitem(sys.modules, "matplotlib.pyplot", raising=False)
