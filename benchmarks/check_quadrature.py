"""Quadrature for any similarity against this project's own lattice Monte Carlo: how many standard errors lie between?

    .venv/bin/python benchmarks/check_quadrature.py [--points 1048576] [--n 2,3,8,32,1000] > check.json

Four similarities on six spaces; slow at many items, where a trial draws and compares that many points. JSON goes to
standard output, a row for each comparison to standard error as it is done. Exit code 1 where any lies further than 5.
"""

import argparse
import json
import platform
import sys
import time

import jax
import numpy as np

from semres_jax import Exponential, Gaussian, PowerLaw, Tabulated, estimate, spaces
from semres_jax.laws import quadrature

LIMIT = 5.0
# Name and a length that resolutions are told in.
SPACES = {"circle": 0.5, "interval": 1.0, "sphere(2)": 3.1, "sphere(9)": 3.1, "gaussian(2)": 3.0, "torus(2)": 0.5}


def similarities(length: float) -> dict:
    """Resolutions from fine to coarse in one stacked similarity of each kind."""
    return {
        "exponential": Exponential(length * np.array([0.05, 0.2, 0.8])),
        "gaussian": Gaussian(length * np.array([0.1, 0.3, 0.8]), 0.01),
        "powerlaw": PowerLaw(length * np.array([0.05, 0.2, 0.8]), np.array([3.0, 2.0, 1.0])),
        "tabulated": Tabulated(length * np.array([0.0, 0.1, 0.3, 0.8]), [1.0, 0.9, 0.2, 0.05]),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=2**20, help="lattice points (default: 1048576)")
    parser.add_argument("--n", default="2,3,8,32,1000", help="numbers of items")
    args = parser.parse_args()
    ns = tuple(int(n) for n in args.n.split(","))
    rows = []
    for name, length in SPACES.items():
        space = spaces.get(name)
        for kind, similarity in similarities(length).items():
            with jax.enable_x64(True):
                accuracies = jax.tree.map(np.asarray, quadrature.several(space, similarity, ns=ns))
            for n, exact in zip(ns, accuracies, strict=True):
                started = time.perf_counter()
                run = estimate(space, similarity, key=jax.random.key(n), trials=args.points, n=n, method="lattice")
                z = [np.abs(run.p_s - exact.p_s) / run.p_s_stderr, np.abs(run.p_i - exact.p_i) / run.p_i_stderr]
                row = {
                    "space": name,
                    "similarity": kind,
                    "n": n,
                    "trials": run.trials,
                    "worst_z": float(np.max(z)),
                    "worst_stderr": float(max(np.max(run.p_s_stderr), np.max(run.p_i_stderr))),
                    "quadrature_error": float(max(np.max(exact.p_s_error), np.max(exact.p_i_error))),
                    "seconds": round(time.perf_counter() - started, 2),
                }
                rows.append(row)
                print(*(f"{k} {v:.3g}" if isinstance(v, float) else f"{v}" for k, v in row.items()), file=sys.stderr)
    worst = max(row["worst_z"] for row in rows)
    content = {"jax": jax.__version__, "machine": platform.platform(), "worst_z": worst, "limit": LIMIT, "rows": rows}
    print(json.dumps(content, indent=1))
    return int(worst > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
