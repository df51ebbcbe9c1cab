"""The look of pictures is the project's own, whatever matplotlib was told; and matplotlib stays as it was told."""

import matplotlib
import pytest

from semres_jax.plots import _style
from semres_jax.storage import results

ODD = {"text.usetex": True, "font.family": ["No Such Font"], "figure.facecolor": "red", "savefig.format": "pdf",
       "lines.linewidth": 40.0, "savefig.bbox": "tight", "figure.dpi": 3.0, "svg.fonttype": "path"}  # fmt: skip


def draw(folder):
    ax = _style.axes(None, (2.0, 1.5))
    with _style.applied():
        ax.plot([0, 1], [0, 1])
        ax.set_xlabel("1 - b")
    _style.save(ax, folder, "picture")
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("backend", ["agg", "svg", "pdf"])
def test_settings_of_users_change_no_picture_and_stay(backend, tmp_path):
    usual = draw(results.output_folder(tmp_path / "usual"))
    before = matplotlib.rcParams.copy()
    with matplotlib.rc_context():
        matplotlib.rcParams.update(ODD | {"backend": backend})
        told = matplotlib.rcParams.copy()
        odd = draw(results.output_folder(tmp_path / "odd"))
        assert matplotlib.rcParams.copy() == told
        matplotlib.rcParams["backend"] = before["backend"]
    assert odd == usual
    assert set(usual) == {"picture.png", "picture.svg"}


def test_applied_leaves_the_choice_of_a_backend_open():
    with _style.applied():
        assert matplotlib.rcParams["text.usetex"] is False
        assert matplotlib.rcParams["font.size"] == 9
