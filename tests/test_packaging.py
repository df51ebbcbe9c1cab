"""What holds of the project as a whole: what importing it does, and what its files may not say."""

import importlib.metadata
import re
import shutil
import subprocess
import sys
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
    found = []
    for name in filter(None, listed.split("\0")):
        path = ROOT / name
        if not path.is_file():
            continue
        content = path.read_bytes()
        if b"\0" in content:  # not text
            continue
        for number, line in enumerate(content.decode("utf-8").splitlines(), 1):
            if match := FORBIDDEN.search(line):
                found.append(f"{name}:{number}: {match.group()}")
    assert not found, "\n".join(found)


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
    for document in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md"):
        for path in re.findall(rf"`(?:semres_jax\.|sr\.)?((?:{packages})(?:\.\w+)+)", (ROOT / document).read_text()):
            if not path.endswith((".nc", ".json")):  # files of results
                written.add(path)
    assert len(written) > 20
    code = "import semres_jax\nfor path in {!r}:\n    here = semres_jax\n    for name in path.split('.'):\n"
    code += "        here = getattr(here, name, None) if here is not None else None\n"
    code += "    if here is None:\n        print(path)"
    assert _python(code.format(sorted(written))) == ""
