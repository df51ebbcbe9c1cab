"""What holds of the project as a whole: what importing it does, and what its files may not say."""

import ast
import importlib
import importlib.metadata
import pkgutil
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import semres_jax

ROOT = Path(__file__).parent.parent
LAZY = ("sympy", "matplotlib", "flax", "dendropy")
# Spelled in pieces, so that this file does not contain what it looks for.
FORBIDDEN = re.compile(
    r"(?:pypi|pythonhosted|npmjs|conda\.anaconda|registry\.[a-z]+)" + r"\.(?:org|io|com|python)\b"
    r"|(?<![\w.])/(?:tmp|root|work|home|Users|opt|mnt)" + r"/[\w.]"
)

# What is imported under another name than it is installed by.
DISTRIBUTIONS = {"sklearn": "scikit-learn", "PIL": "pillow", "orbax": "orbax-checkpoint", "ml_dtypes": "ml-dtypes"}
# Imported by another dependency, for us.
BACKENDS = {"h5netcdf"}


def _modules() -> Iterator[tuple[str, ast.Module]]:
    """Every module of the package by its dotted name, with its syntax tree."""
    for path in sorted((ROOT / "semres_jax").rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), ast.parse(path.read_text(encoding="utf-8"))


def _imports(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Every dotted name imported anywhere in a module, lazily too: modules, and names `from` modules."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0  # imports are absolute here
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


def _declared(requirements) -> set[str]:
    return {re.match(r"[\w.-]+", requirement).group().lower().replace("_", "-") for requirement in requirements}


def _python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_import_is_light():
    """Commands that need none of these must not wait for them."""
    loaded = _python(f"import sys, semres_jax; print([name for name in {LAZY} if name in sys.modules])")
    assert loaded == "[]"


def test_import_changes_no_jax_option():
    code = "import jax; before = dict(jax.config.values); import semres_jax; print(before == dict(jax.config.values))"
    assert _python(code) == "True"
    assert _python("import semres_jax, jax; print(jax.config.jax_enable_x64)") == "False"


def test_version_is_the_installed_one():
    assert semres_jax.__version__ == importlib.metadata.version("semres-jax")


def test_no_registry_hosts_and_no_paths_of_one_machine():
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    wrong = []
    for name in filter(None, listed.split("\0")):
        path = ROOT / name
        if not path.is_file():
            continue
        content = path.read_bytes()
        if b"\0" in content:  # not text
            continue
        for number, line in enumerate(content.decode("utf-8").splitlines(), 1):
            if match := FORBIDDEN.search(line):
                wrong.append(f"{name}:{number}: {match.group()}")
    assert not wrong, "\n".join(wrong)


# Modules that README and CHANGELOG name, and what users look for there.
NAMED = (
    *(
        "laws.tables",
        "laws.symbolic",
        "laws.quadrature",
        "measure.language.backends",
        "measure.intervals",
        "networks.language",
    ),
    *("networks.llama", "montecarlo", "storage.results", "storage.resume", "experiments.validation", "training.toy"),
)


@pytest.mark.parametrize("name", NAMED)
def test_modules_are_there_in_a_fresh_process(name):
    assert _python(f"import semres_jax as sr; print(sr.{name}.__name__)") == f"semres_jax.{name}"


def test_dotted_names_of_the_documents_resolve():
    """Whatever README, CHANGELOG and CONTRIBUTING write as `package.name` of a package of ours is there."""
    packages = (
        "choice|data|experiments|frontier|laws|measure|montecarlo|networks|plots|similarity|spaces|storage|training"
    )
    written = set()
    documents = [*ROOT.glob("*.md"), *(path for path in (ROOT / "docs").rglob("*.md") if "_build" not in path.parts)]
    for document in documents:
        for path in re.findall(rf"`(?:semres_jax\.|sr\.)?((?:{packages})(?:\.\w+)+)", document.read_text()):
            if not path.endswith((".nc", ".json")):  # files of results
                written.add(path)
    assert len(written) > 20
    code = "import semres_jax\nfor path in {!r}:\n    here = semres_jax\n    for name in path.split('.'):\n"
    code += "        here = getattr(here, name, None) if here is not None else None\n"
    code += "    if here is None:\n        print(path)"
    assert _python(code.format(sorted(written))) == ""


def test_what_is_imported_is_declared_and_the_other_way_round():
    """Packages imported by `semres_jax/`, lazily too, are dependencies or in an extra for users, not `test` alone."""
    if not (ROOT / "semres_jax").is_dir():
        pytest.skip("no source beside these tests: they test an installed wheel")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    required = _declared(project["dependencies"])
    extras = [needs for name, needs in project["optional-dependencies"].items() if name not in ("test", "peers")]
    imported = {}
    for module, tree in _modules():
        for name, line in _imports(tree):
            top = name.partition(".")[0]
            if top != "semres_jax" and top not in sys.stdlib_module_names:
                imported.setdefault(DISTRIBUTIONS.get(top, top), f"{module}:{line}")
    declared = required.union(*map(_declared, extras))
    assert {name: place for name, place in imported.items() if name not in declared} == {}, "not declared"
    assert required - set(imported) - BACKENDS == set(), "declared, but imported nowhere"


def test_private_modules_are_imported_in_their_own_package_only():
    """What begins with `_`, a module or a name of one, is for the package that it is in; at the top, for all."""
    packages = {".".join(path.parent.relative_to(ROOT).parts) for path in (ROOT / "semres_jax").rglob("__init__.py")}
    breaches = []
    for module, tree in _modules():
        for name, line in _imports(tree):
            parts = name.split(".")
            for i, part in enumerate(parts):
                if parts[0] != "semres_jax" or not part.startswith("_") or part.endswith("__"):
                    continue
                home = next(".".join(parts[:j]) for j in range(i, 0, -1) if ".".join(parts[:j]) in packages)
                if not f"{module}.".startswith(f"{home}."):
                    breaches.append(f"{module}:{line}: {name}")
    assert not breaches, "\n".join(breaches)


def test_packages_list_what_they_have_once_all_is_imported():
    """A submodule becomes an attribute of its package: over what was there under the same name."""
    for module in pkgutil.walk_packages(semres_jax.__path__, "semres_jax."):
        assert dir(importlib.import_module(module.name)), module.name
    assert {"spaces", "accuracy", "measure"} <= set(dir(semres_jax))
