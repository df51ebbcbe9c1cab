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
        settings = matplotlib.rcParams.copy()
        odd = draw(results.output_folder(tmp_path / "odd"))
        assert matplotlib.rcParams.copy() == settings
        matplotlib.rcParams["backend"] = before["backend"]
    assert odd == usual
    assert set(usual) == {"picture.png", "picture.svg"}


def test_applied_leaves_the_choice_of_a_backend_open():
    with _style.applied():
        assert matplotlib.rcParams["text.usetex"] is False
        assert matplotlib.rcParams["font.size"] == 9


def test_names_from_files_can_be_drawn(tmp_path):
    ax = _style.axes(None, (2.0, 1.5))
    ax.set_title("an $\\frac$ of\n\x1b[31mred")
    ax.set_xlabel("$p_I$")
    ax.set_ylabel("5 $ or more")
    _style.save(ax, tmp_path, "picture")
    assert ax.get_title() == "an $\\frac$ of\n\\x1b[31mred"
    drawn = (tmp_path / "picture.svg").read_text()
    assert "an $\\frac$ of" in drawn
    assert "$p_I$" not in drawn.replace("<!-- $p_I$ -->", "")
