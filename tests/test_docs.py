"""The documentation says what is so: its code runs, its links lead somewhere, what it takes from the code is there."""

import importlib.util
import inspect
import json
import os
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(path for path in [ROOT / "README.md", *DOCS.rglob("*.md")] if "_build" not in path.parts)
CODE = re.compile(r"^```python\n(.*?)^```$", re.M | re.S)


def _names(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.fixture(scope="module")
def builder():
    """The extension that builds the pages."""
    spec = importlib.util.spec_from_file_location("semres_docs", DOCS / "_ext" / "semres_docs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_readme_is_short():
    assert len((ROOT / "README.md").read_bytes()) < 7000


@pytest.mark.parametrize("page", [page for page in PAGES if CODE.search(page.read_text(encoding="utf-8"))], ids=_names)
def test_code_of_a_page_runs(page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    here: dict = {"__name__": "__page__"}
    # Classes look up what they are annotated with in their module.
    monkeypatch.setitem(sys.modules, "__page__", type(sys)("__page__"))
    for block in CODE.findall(page.read_text(encoding="utf-8")):
        exec(compile(block, str(page), "exec"), here)


@pytest.mark.parametrize("page", PAGES, ids=_names)
def test_links_of_a_page_lead_somewhere(page):
    text = page.read_text(encoding="utf-8")
    files = [link for link in re.findall(r"\]\(([^)#]+)[^)]*\)", text) if not link.startswith("http")]
    pages = [f"{link}.md" for link in re.findall(r"\{doc\}`([^`]+)`", text)]
    if page.name == "index.md":
        pages += [f"{line}.md" for line in re.findall(r"^([\w/]+)$", text, re.M)]
    made = ("api/", "gallery/", "/gallery/")  # by the build
    missing = [link for link in files + pages if not link.startswith(made) and not (page.parent / link).exists()]
    assert missing == []


def test_every_page_is_in_the_contents():
    listed = set(re.findall(r"^([\w/]+)$", (DOCS / "index.md").read_text(encoding="utf-8"), re.M))
    there = {page.relative_to(DOCS).with_suffix("").as_posix() for page in PAGES if page.is_relative_to(DOCS)}
    assert there - listed == {"index"}


def test_all_that_is_public_has_a_docstring(builder):
    bare = []
    for package in builder.PACKAGES:
        for module in builder.public_modules(package):
            if not (module.__doc__ or "").strip():
                bare.append(module.__name__)
            for name, value in builder.public_names(module).items():
                if not (inspect.getdoc(value) or "").strip():
                    bare.append(f"{module.__name__}.{name}")
    assert bare == []


def test_packages_of_the_api_are_those_that_there_are(builder):
    import semres_jax

    hidden = {"cli"}  # commands, whose page is their help
    public = {name for name in dir(semres_jax) if inspect.ismodule(getattr(semres_jax, name))}
    assert set(builder.PACKAGES) == {name for name in public if not name.startswith("_")} - hidden


def test_docstrings_become_pages(builder):
    lines = ["Mean `p_S` of |x|*2:", "", "    <b> = 1*2", "    b_p", "", "Args:", "    x: of x_.", "", "        deep"]
    want = ["Mean ``p_S`` of \\|x\\|\\*2:", "", "::", "", "    <b> = 1*2", "    b_p", "", "Args:"]
    assert builder.as_rst(lines) == [*want, "    x: of x\\_.", "", "        deep"]


def test_laws_are_put_in(builder):
    from semres_jax.laws import symbolic

    pages = {name: [(DOCS / f"{name}.md").read_text(encoding="utf-8")] for name in ("theory", "compositional")}
    laws = [law for page in pages.values() for law in re.findall(r"^\{law:(\w+)\}$", page[0], re.M)]
    assert sorted(laws) == sorted(symbolic.LAWS)
    for name, page in pages.items():
        builder.fill(None, name, page)
        assert "{law:" not in page[0]
    assert sum(page[0].count("```{math}") for page in pages.values()) == len(symbolic.LAWS)
    assert symbolic.latex("no_floor").split(" = ")[1] in pages["theory"][0]


def test_the_page_of_speed_is_the_last_kept_run(builder):
    page = [(DOCS / "speed.md").read_text(encoding="utf-8")]
    builder.fill(None, "speed", page)
    kept = sorted((ROOT / "benchmarks" / "results").glob("*.json"), key=lambda path: path.stem[-10:])[-1]
    rows = json.loads(kept.read_text(encoding="utf-8"))["rows"]
    assert len(rows) > 50
    assert [row["what"] for row in rows if f"| {row['what'].replace('|', '/')} |" not in page[0]] == []


def test_the_version_is_the_same_everywhere():
    from semres_jax import __version__

    first = re.search(r"^## (\d\S*)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.M)
    cited = re.search(r"^version: (\S+)$", (ROOT / "CITATION.cff").read_text(encoding="utf-8"), re.M)
    assert first is not None
    assert cited is not None
    assert {first[1], cited[1]} == {__version__}


def test_examples_say_what_they_show():
    scripts = sorted((DOCS / "examples").glob("plot_*.py"))
    assert len(scripts) >= 8
    for script in scripts:
        head = script.read_text(encoding="utf-8").split('"""')[1].strip().splitlines()
        assert head[1] == "=" * len(head[0]), script.name
        assert os.linesep.join(head[2:]).strip(), script.name
