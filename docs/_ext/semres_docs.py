"""What the documentation takes from the code itself, so that it cannot drift: laws, tables of speed, names, glossary.

- `{law:NAME}` in a page becomes the closed form of a law, in LaTeX, as `laws.symbolic` has it.
- `{figures}` becomes the list of the paper's figures that `semres reproduce` makes, and of those that it can't.
- `{bench:FILE}` becomes the tables of a kept report in `benchmarks/results/`.
- A page for each package is written into `api/`, with all that is public in it.
- Docstrings, which are plain text with indented formulas, become reStructuredText.
"""

import importlib
import inspect
import json
import os
import pkgutil
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
PACKAGES = (
    "spaces", "similarity", "choice", "laws", "montecarlo", "frontier", "measure", "networks", "training",
    "dynamics", "experiments", "data", "storage", "plots", "explore", "execution",
)  # fmt: skip
# Equations of a law that are shown, and characters of one.
MOST_EQUATIONS, LONGEST = 6, 220
# Sections of docstrings with a list of names, beside Google's.
LISTS = ("Keys of a row", "Attributes of a class")
_SECTION = re.compile(rf"^(Args|Returns|Raises|Yields|Attributes|Example|{'|'.join(LISTS)}):$")


def public_modules(package: str) -> list[ModuleType]:
    """A package or module of semres_jax and all below it of which no part of the name begins with `_`."""
    top = importlib.import_module(f"semres_jax.{package}")
    below = []
    if hasattr(top, "__path__"):
        for info in pkgutil.walk_packages(top.__path__, f"{top.__name__}."):
            if not any(part.startswith("_") for part in info.name.split(".")):
                below.append(importlib.import_module(info.name))
    return [top, *below]


def public_names(module: ModuleType) -> dict[str, Any]:
    """Functions and classes that a module defines for its users."""
    return {
        name: value
        for name, value in vars(module).items()
        if not name.startswith("_")
        and (inspect.isclass(value) or inspect.isroutine(value) or hasattr(value, "__wrapped__"))
        and getattr(value, "__module__", "") == module.__name__
    }


def given_names(module: ModuleType) -> dict[str, Any]:
    """What a package hands on from elsewhere in semres_jax: functions and classes by their short name."""
    names = {}
    for name in dir(module):
        value = None if name.startswith("_") else getattr(module, name)
        home = getattr(value, "__module__", None)
        if inspect.ismodule(value) or home is None or not home.startswith("semres_jax.") or home == module.__name__:
            continue
        if inspect.isclass(value) or inspect.isroutine(value) or hasattr(value, "__wrapped__"):
            names[name] = value
    return names


def law(name: str) -> str:
    """The equations of a law as a block of mathematics."""
    from semres_jax.laws import symbolic

    equations = symbolic.latex(name).splitlines()
    shown = [equation for equation in equations if len(equation) <= LONGEST][:MOST_EQUATIONS]
    rows = " \\\\\n".join(" &= ".join(equation.rsplit(" = ", 1)) for equation in shown)  # left sides may have "n = 2"
    more = len(equations) - len(shown)
    rest = f"\n\n(and {more} more: `semres_jax.laws.symbolic.latex({name!r})`)" if more else ""
    rows = rows.replace(r"\_", "_")  # in words, where MathJax shows the backslash
    described = symbolic.LAWS[name]
    head = f"*{described.statement}.* Source: {described.source}. {described.remark}".rstrip()
    return f"{head}\n\n```{{math}}\n\\begin{{aligned}}\n{rows}\n\\end{{aligned}}\n```{rest}"


def bench(file: str) -> str:
    """The tables of a kept report."""
    sys.path.insert(0, str(ROOT / "benchmarks"))
    import report

    return report.markdown(json.loads((ROOT / "benchmarks" / "results" / file).read_text(encoding="utf-8")))


def figures() -> str:
    """What each figure of the paper shows, and what differs here."""
    from semres_jax.experiments import paper

    made = [
        f"### Figure {name}: {figure.title}\n\n*In the paper*: {figure.shows}\n\n*Here*: {figure.differs}\n\n"
        f"    {figure.command}\n"
        for name, figure in paper.FIGURES.items()
    ]
    unmade = [f"- **{part.what}**: {part.reason}. Instead: {part.instead}." for part in paper.UNMADE]
    return "\n".join([*made, "### What can't be made\n", *unmade])


def write_page(app: Any) -> None:
    """The interactive page, made anew for another version only: it takes half a minute.

    $SEMRES_DOCS_SPACES names fewer spaces, for whoever only wants to know that all is well.
    """
    from semres_jax import __version__, explore, spaces
    from semres_jax.explore.grids import SPACES

    page = Path(app.srcdir, "_extra", "explore.html")
    stamp = page.with_suffix(".version")
    labels = tuple(filter(None, os.environ.get("SEMRES_DOCS_SPACES", "").split(","))) or SPACES
    made_of = f"{__version__} {','.join(labels)}"
    if not page.exists() or not stamp.exists() or stamp.read_text() != made_of:
        page.write_text(explore.make_page(spaces.by_label(labels), command="semres explore"), encoding="utf-8")
        stamp.write_text(made_of)


def _latest() -> str:
    files = sorted((ROOT / "benchmarks" / "results").glob("*.json"), key=lambda path: path.stem[-10:])
    return files[-1].name


def fill(_app: Any, _page: str, source: list[str]) -> None:
    """Put in what a page takes from the code."""
    if "\n{figures}\n" in source[0]:
        source[0] = source[0].replace("{figures}", figures())
    text = re.sub(r"^\{law:(\w+)\}$", lambda match: law(match[1]), source[0], flags=re.M)
    source[0] = re.sub(r"^\{bench:([\w.-]+)\}$", lambda match: bench(_latest() if match[1] == "latest" else match[1]),
                       text, flags=re.M)  # fmt: skip


def write_api(app: Any) -> None:
    """The pages of `api/`."""
    folder = Path(app.srcdir, "api")
    folder.mkdir(exist_ok=True)
    for name in PACKAGES:
        _written(folder / f"{name}.rst", _page_of(name))
    top = importlib.import_module("semres_jax")
    lines = [
        "API",
        "===",
        "",
        "Names are loaded when they are first used, so that the import takes no time.",
        "",
    ]
    lines += ["Top level", "---------", ""]
    for name, value in given_names(top).items():
        if ".montecarlo" in value.__module__ or ".laws" in value.__module__ or ".similarity" in value.__module__:
            lines.append(f"- ``semres_jax.{name}``: :py:obj:`{value.__module__}.{value.__qualname__}`")
    lines.append("")
    for name, value in given_names(top).items():
        if "._" in value.__module__:
            lines += _described(f"semres_jax.{name}", value)
    lines += [".. toctree::", "   :maxdepth: 1", ""] + [f"   {name}" for name in PACKAGES]
    _written(folder / "index.rst", "\n".join(lines) + "\n")


def _page_of(package: str) -> str:
    modules = public_modules(package)
    title = f"semres_jax.{package}"
    lines = [title, "=" * len(title), ""]
    short = given_names(modules[0])
    if short:
        lines += ["Short names", "-----------", ""]
        for name, value in short.items():
            if "._" not in value.__module__:
                lines.append(f"- ``{title}.{name}``: :py:obj:`{value.__module__}.{value.__qualname__}`")
        lines.append("")
    for module in modules:
        if not public_names(module) and module is not modules[0]:
            continue
        if module is not modules[0]:
            lines += [module.__name__, "-" * len(module.__name__), ""]
        lines += [f".. automodule:: {module.__name__}", "   :members:", "   :show-inheritance:", ""]
    at_top = given_names(importlib.import_module("semres_jax"))
    for name, value in short.items():
        if "._" in value.__module__ and name not in at_top:
            lines += _described(f"{title}.{name}", value)
    return "\n".join(lines) + "\n"


def _described(name: str, value: Any) -> list[str]:
    kind = "autoclass" if inspect.isclass(value) else "autofunction"
    return [f".. {kind}:: {name}", *["   :members:"] * (kind == "autoclass"), ""]


def _written(path: Path, text: str) -> None:
    """A file that is touched only where it changes, so that a second build is quick."""
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def as_rst(lines: list[str]) -> list[str]:
    """A docstring of ours: names in single backticks, formulas indented, Google's sections.

    >>> as_rst(["Mean of `x`*2:", "", "    <x> = 1", "", "of all |x|."])
    ['Mean of ``x``\\\\*2:', '', '::', '', '    <x> = 1', '', 'of all \\\\|x\\\\|.']
    """
    out: list[str] = []
    section, formula = False, False
    for line in lines:
        indented = line.startswith("    ")
        if line.strip() and not indented:
            section, formula = bool(_SECTION.match(line)), False
        if indented and not section and not formula and out and not out[-1].strip():
            if not line.lstrip().startswith((">>>", "- ", "* ")):
                out += ["::", ""]
                formula = True
        if line.startswith("- ") and out and out[-1].strip() and not out[-1].startswith(("- ", "  ")):
            out.append("")  # a list that follows a line of text
        out.append(line if formula or line.lstrip().startswith((">>>", "...")) else _inline(line))
    return out


def _inline(line: str) -> str:
    parts = re.split(r"(`+[^`]*`+)", line)
    return "".join(
        f"``{part.strip('`')}``" if i % 2 else re.sub(r"([*|\\]|(?<=\w)_(?!\w))", r"\\\1", part)
        for i, part in enumerate(parts)
    )


def reread(_app: Any, _what: str, _name: str, _object: Any, _options: Any, lines: list[str]) -> None:
    lines[:] = as_rst(lines)


def setup(app: Any) -> dict[str, Any]:
    app.connect("builder-inited", write_api)
    app.connect("builder-inited", write_page)
    app.connect("source-read", fill)
    app.connect("autodoc-process-docstring", reread, priority=400)
    return {"parallel_read_safe": True}
