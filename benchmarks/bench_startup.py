"""How long it takes until something is there: import, help, the first answer, and programs kept between runs.

Each line is the best of a few processes of their own, from the start of Python to its end.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from measuring import timed
from report import main, row, say

COMMAND = "import sys; sys.argv[1:] = {words!r}; from semres_jax.cli import main; raise SystemExit(main())"
# A sweep by quadrature: programs of a second each.
SWEEP = ("sweep", "--similarity", "exponential", "--epsilon", "0.05:0.5:8", "--n", "2,8")
ACCURACY = "import semres_jax as sr; print(sr.accuracy(sr.spaces.get('circle'), sr.Constant(0.25)))"
INTEGRAL = "import semres_jax as sr; print(sr.accuracy(sr.spaces.get('circle'), sr.Exponential(0.1)))"
ESTIMATE = (
    "import jax, semres_jax as sr; "
    "print(sr.estimate(sr.spaces.get('circle'), sr.Constant(0.25), key=jax.random.key(0), trials=2**20).p_s)"
)
README = Path(__file__).parent.parent / "README.md"  # of a checkout; the wheel has none beside this
HELP_BAR, OVER_JAX, KEPT, NOT_KEPT, README_CPU = 1.0, 1.0, 2.5, 4.0, 10.0


def process(code: str, **settings: str) -> float:
    """Seconds of a Python process that runs `code`."""
    words = [sys.executable, "-c", code]

    def call() -> None:
        done = subprocess.run(words, env=os.environ | settings, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{code}: {done.stderr.strip()[-500:]}")

    return timed(call)


def ten_lines() -> float:
    """CPU-seconds of a process that runs the first lines of Python of README, no programs kept."""
    code = README.read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    before = os.times()
    process(code, JAX_ENABLE_COMPILATION_CACHE="false")
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def command(*words: str) -> str:
    return COMMAND.format(words=list(words))


def kept_programs() -> dict:
    """A small sweep without kept programs, the first time with an empty folder for them, and the second time."""
    with tempfile.TemporaryDirectory() as folder:
        code = command(*SWEEP, "--out", str(Path(folder, "out")))
        kept = {"JAX_ENABLE_COMPILATION_CACHE": "true", "JAX_COMPILATION_CACHE_DIR": str(Path(folder, "programs"))}
        without = process(code, JAX_ENABLE_COMPILATION_CACHE="false")
        first, second = process(code, **kept), process(code, **kept)
        files = sum(1 for path in Path(folder, "programs").rglob("*") if path.is_file())
    return {"without": without, "first": first, "second": second, "files": files}


def run(quick: bool) -> dict:
    rounds = 1 if quick else 5
    codes = {
        "import jax": "import jax",
        "import semres_jax": "import semres_jax",
        "semres --help": command("--help"),
        "semres sweep --help": command("sweep", "--help"),
        "accuracy": ACCURACY,
        "integral": INTEGRAL,
        "estimate": ESTIMATE,
    }
    best: dict[str, float] = {}
    for turn in range(rounds):
        say(f"processes, round {turn + 1} of {rounds}")
        for name, code in codes.items():
            best[name] = min(process(code), best.get(name, float("inf")))
    say("a small sweep, three times")
    sweep = kept_programs()
    say("README's ten lines")
    lines = [ten_lines() for _ in range(rounds)] if README.exists() else []
    backend = {"peer": "import jax", "peer_value": best["import jax"], "better": "less"}
    small = f"semres {' '.join(SWEEP)}, programs kept by an earlier run"
    rows = [
        row("python -c 'import semres_jax'", best["import semres_jax"], "s", **backend),
        *(row(name, best[name], "s", bar=f"value <= {HELP_BAR:g}") for name in codes if name.startswith("semres ")),
        row("a process with one `accuracy`, from its start", best["accuracy"], "s", **backend),
        row(
            "a process with one `accuracy` by quadrature, from its start",
            best["integral"],
            "s",
            **backend,
            bar=f"value <= {best['import jax'] + OVER_JAX:.2f}",
            note=f"The bar is {OVER_JAX:g} s over `import jax`.",
        ),
        row("a process with one `estimate` of 2^20 trials, from its start", best["estimate"], "s", **backend),
        row(
            small,
            sweep["second"],
            "s",
            peer="without",
            peer_value=sweep["without"],
            better="less",
            bar=f"value <= {KEPT:g}",
        ),
        row(f"semres {' '.join(SWEEP)}, no program kept", sweep["without"], "s", bar=f"value <= {NOT_KEPT:g}"),
        *(
            row("README's ten lines of Python, CPU-seconds", least, "s", bar=f"value <= {README_CPU:g}")
            for least in sorted(lines)[:1]
        ),
        row(f"semres {' '.join(SWEEP)}, the run that keeps programs", sweep["first"], "s"),
    ]
    return {"rows": rows, "seconds": best, "sweep": sweep}


if __name__ == "__main__":
    main(run, __doc__)
