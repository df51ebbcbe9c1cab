"""Concave quadratic programs over probability vectors, exactly: block principal pivoting.

On a fixed support the optimum is one linear system. What is then negative leaves the support, what would gain by
joining it joins, all at once; this takes a handful of systems where the support moves by hundreds of places.
"""

import numpy as np

# What a place outside the support may promise to gain, relative to the program's numbers: rounding, no more.
_ROUNDING = 1e-13
# How often the number of wrong places may fail to fall before they are mended one at a time.
_PATIENCE = 8
_MOST_STEPS = 4000


def maximise(matrix: np.ndarray, linear: np.ndarray, support: np.ndarray) -> np.ndarray:
    """The probability vector x that maximises linear·x - x·matrix·x / 2.

    On the simplex the program is that of maximising over x >= 0 alone, for a positive definite matrix (put
    linear·x = (x·linear)(1·x) into the quadratic part, and add a multiple of (1·x)²), with the same sets of wrong
    places; so pivoting one place at a time always ends (Murty 1974), and in blocks with that to fall back on too
    (Júdice and Pires 1994).

    Args:
        matrix: (k, k) symmetric, positive definite on vectors that sum to 0.
        linear: (k,).
        support: (k,) where to begin, of bool, somewhere true.

    Returns:
        x of shape (k,), at least 0, of sum 1.
    """
    allowed = _ROUNDING * max(float(np.abs(matrix).max()), float(np.abs(linear).max()), 1e-300)
    support, fewest, patience = support.copy(), support.size + 1, _PATIENCE
    x = np.zeros(support.size)
    for _ in range(_MOST_STEPS):
        x, price = _on_support(matrix, linear, support)
        gain = linear - matrix @ x - price
        wrong = np.where(support, x < 0, gain > allowed)
        count = int(wrong.sum())
        if not count:
            break
        if count < fewest:
            fewest, patience = count, _PATIENCE
        elif patience:
            patience -= 1
        else:
            last = np.flatnonzero(wrong)[-1]
            wrong = np.arange(support.size) == last
        support ^= wrong
    x = np.maximum(x, 0.0)
    return x / x.sum()


def _on_support(matrix: np.ndarray, linear: np.ndarray, support: np.ndarray) -> tuple[np.ndarray, float]:
    """The stationary vector of sum 1 that vanishes off the support, signs aside, and the multiplier of its sum."""
    (places,) = np.nonzero(support)
    bordered = np.ones((places.size + 1,) * 2)
    bordered[:-1, :-1], bordered[-1, -1] = matrix[np.ix_(places, places)], 0.0
    solved = np.linalg.solve(bordered, np.append(linear[places], 1.0))
    x = np.zeros(support.size)
    x[places] = solved[:-1]
    return x, float(solved[-1])
