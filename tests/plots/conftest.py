"""Pictures of these tests are saved at a low resolution: they are about there being files, not about their pixels."""

import pytest
from matplotlib.figure import Figure


@pytest.fixture(autouse=True)
def low_resolution(monkeypatch):
    whole = Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda self, *args, **named: whole(self, *args, **{**named, "dpi": 40}))
