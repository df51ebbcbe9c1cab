"""Search the generating vector of the lattice and write semres_jax/montecarlo/lattice.npy.

Component by component, digit by digit: bit m - 1 of z_j is chosen so that the lattice of 2^m points is best, given
the components before and the digits below, for m up to `LEVELS`; digits above that are random. The measure of quality
is the worst-case error for periodic functions of smoothness 1 (kernel 1 + weight * 2 pi^2 B_2), for the points
themselves and for their differences to twice the first component, which is how the probe uses it: distances depend
on differences of coordinates.
"""

from pathlib import Path

import numpy as np

DIMENSIONS, LEVELS = 160, 20
WEIGHT = 0.9  # of dimension j: WEIGHT / (1 + j / 8), so that early dimensions count most
SEED = 2506


def kernel(numerators: np.ndarray, level: int, weight: float) -> np.ndarray:
    x = (numerators & np.uint64((1 << level) - 1)).astype(np.float64) / 2.0**level
    return 1.0 + weight * 2.0 * np.pi**2 * (x * x - x + 1.0 / 6.0)


def main() -> None:
    rng = np.random.Generator(np.random.PCG64(SEED))
    index = [np.arange(1 << level, dtype=np.uint64) for level in range(LEVELS + 1)]
    plain = [np.ones(1 << level) for level in range(LEVELS + 1)]
    difference = [np.ones(1 << level) for level in range(LEVELS + 1)]
    vector = []
    for j in range(DIMENSIONS):
        weight = WEIGHT / (1.0 + j / 8.0)
        z = 1
        for level in range(2, LEVELS + 1):
            candidates = [z, z | 1 << (level - 1)]
            scores = []
            for candidate in candidates:
                score = plain[level] @ kernel(index[level] * np.uint64(candidate), level, weight)
                if j:
                    gap = np.uint64((candidate - 2 * vector[0]) % (1 << 32))
                    score += difference[level] @ kernel(index[level] * gap, level, weight)
                scores.append(score)
            # the first components tie by symmetry: let the seed decide
            z = candidates[int(rng.integers(2))] if scores[0] == scores[1] else candidates[int(np.argmin(scores))]
        z |= int(rng.integers(1 << (32 - LEVELS))) << LEVELS
        vector.append(z)
        for level in range(2, LEVELS + 1):
            plain[level] *= kernel(index[level] * np.uint64(z), level, weight)
            if j:
                difference[level] *= kernel(index[level] * np.uint64((z - 2 * vector[0]) % (1 << 32)), level, weight)
        print(f"dimension {j + 1:3d} of {DIMENSIONS}: {z:#010x}", flush=True)
    path = Path(__file__).parents[1] / "semres_jax" / "montecarlo" / "lattice.npy"
    np.save(path, np.array(vector, np.uint32))
    print(f"wrote {path.relative_to(path.parents[2])}")


if __name__ == "__main__":
    main()
