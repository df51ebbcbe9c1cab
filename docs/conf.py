"""Configuration of the documentation: `scripts/docs` builds it, with warnings as errors and without a network."""

import os
import socket
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "_ext"), str(HERE.parent)]
os.environ.setdefault("JAX_PLATFORMS", "cpu")

from semres_docs import LISTS  # noqa: E402

from semres_jax import __version__  # noqa: E402

project, author, release = "semres_jax", "the authors of semres_jax", __version__
copyright = f"2026, {author}"

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.intersphinx",
    "sphinx.ext.mathjax",
    "sphinx-mathjax-offline",
    "sphinx_gallery.gen_gallery",
    "semres_docs",
]
myst_enable_extensions = ["dollarmath", "colon_fence", "deflist"]
myst_heading_anchors = 3
exclude_patterns = ["_build", "_extra", "examples"]

autodoc_member_order = "bysource"
autodoc_typehints = "none"
napoleon_use_ivar = True
# Attributes of several results share a name, which is looked up as if it were a link.
suppress_warnings = ["ref.python"]
napoleon_numpy_docstring = False
napoleon_custom_sections = [(name, "params_style") for name in LISTS]

LINKED = {
    "python": "https://docs.python.org/3",
    "jax": "https://docs.jax.dev/en/latest",
    "numpy": "https://numpy.org/doc/stable",
    "xarray": "https://docs.xarray.dev/en/stable",
}


def _online() -> bool:
    try:
        socket.create_connection(("docs.python.org", 443), timeout=2).close()
    except OSError:
        return False
    return True


# Names of other projects link to their pages where those can be asked; without a network they stay words.
intersphinx_mapping = {name: (address, None) for name, address in LINKED.items()} if _online() else {}

sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "gallery",
    "filename_pattern": r"/plot_",
    "within_subsection_order": "FileNameSortKey",
    "abort_on_example_error": True,
    "show_memory": False,
    "min_reported_time": 1,
}

html_theme = "pydata_sphinx_theme"
html_title = "semres_jax"
html_show_sourcelink = False
(HERE / "_extra").mkdir(exist_ok=True)  # for the interactive page, which the build makes
html_extra_path = ["_extra"]
html_static_path, html_css_files = ["_static"], ["wide.css"]
html_theme_options = {"navigation_with_keys": False, "show_toc_level": 2, "secondary_sidebar_items": ["page-toc"]}
