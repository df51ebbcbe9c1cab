"""Compile times of the main programs, by JAX's own events: tracing, lowering, and machine code.

Every program is called twice with other numbers; what the second call compiles is told too. Programs follow each other
in one process, so small ones that two of them share are counted with the first.
"""

import jax
import numpy as np
from measuring import compiling, timed
from report import main, row, say

from semres_jax import Constant, Exponential, accuracy, data, estimate, frontier, spaces
from semres_jax.training import images as image_training, toy

CIRCLE = spaces.get("circle")
TRIALS = 2**22


def draws(n: int, method: str, similarity=Constant):
    return lambda k: estimate(
        CIRCLE, similarity(0.1 + 0.01 * k), key=jax.random.key(k), trials=TRIALS, n=n, method=method
    )


def quadrature(k: int):
    return accuracy(CIRCLE, Exponential(0.1 + 0.01 * k), n=32)


def enumeration(k: int):
    points = np.random.default_rng(k).random((200, 2))
    table = np.linalg.norm(points[:, None] - points[None], axis=-1)
    return accuracy(spaces.Finite(table), Exponential(np.linspace(0.1, 0.5, 8) + 0.01 * k), n=3)


def swept(k: int):
    epsilons = np.linspace(0.1, 0.5, 8) + 0.01 * k
    return frontier.sweep(["circle", "interval"], ["constant", "exponential"], [2, 8], epsilon=epsilons)


def toy_network(k: int):
    return toy.train(
        spaces.grid(CIRCLE, 50), toy.Design(), toy.Hyper(), key=jax.random.key(k), runs=16, steps=30, records=[]
    )


def residual(k: int):
    animals = data.animal_images()
    return image_training.train(
        animals, data.split(animals), image_training.Recipe(epochs=1), alphas=(0.5,), runs=1, key=jax.random.key(k)
    )


PROGRAMS = {
    **{f"estimate, circle, n = {n}, {method}": draws(n, method) for n in (2, 32) for method in ("prng", "lattice")},
    "estimate, circle, exponential, n = 8, lattice": draws(8, "lattice", Exponential),
    "accuracy by quadrature, circle, exponential, n = 32": lambda k: accuracy(
        CIRCLE, Exponential(0.1 + 0.01 * k), n=32
    ),
    "accuracy by enumeration, 200 points, exponential, n = 3": enumeration,
    "frontier.sweep, two spaces, two similarities, n = 2, 8": swept,
    "training.toy.train, 16 runs": toy_network,
    "training.resnet.train, the small network": residual,
}


def run(quick: bool) -> dict:
    measured, rows = {}, []
    for name, program in PROGRAMS.items():
        if quick and "resnet" in name:
            continue
        say(name)
        with compiling() as first:
            first_s = timed(lambda program=program: jax.block_until_ready(program(0)))
        with compiling() as second:
            second_s = timed(lambda program=program: jax.block_until_ready(program(1)))
        measured[name] = {
            "first_call_s": first_s,
            "compile_s": first.seconds,
            "programs": first.programs,
            "second_call_s": second_s,
            "second_programs": second.programs,
        }
        count = f"{first.programs} program{'s' * (first.programs != 1)}"
        again = f"; {second.programs} more when called again" if second.programs else ""
        rows.append(row(f"compiling {name} ({count}{again})", first.seconds, "s"))
    return {"rows": rows, "programs": measured}


if __name__ == "__main__":
    main(run, __doc__)
