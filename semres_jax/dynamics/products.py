"""Products of Jacobians: what is left of a small change after many layers, and in how many directions.

    C_k = J_k ... J_s,    rescaled to ‖C_k‖ = 1 after each layer, the logarithm of the length kept

Layer 0, which sees embeddings, often decides alone: look at products from s = 1 too. Controls change each J before it
is multiplied: its normal part (`normal_part`), its Schur form with the strict upper part scrambled, or its singular
values between random bases (`scrambled`), where no layer knows the directions of another.
"""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import scipy.linalg

from semres_jax._random import generator
from semres_jax.dynamics.jacobians import Jacobian
from semres_jax.dynamics.matrices import normal_part, ranks, scrambled

CONTROLS = ("normal", "scrambled", "bases")


class Product(NamedTuple):
    """Products of B texts up to a layer.

    Attributes:
        layer: the last that went in.
        log_norm: (B,) ln ‖C_k‖, of the Frobenius norm.
        pr, erank: (B,) participation ratio and effective rank, as `Spectra` has them.
    """

    layer: int
    log_norm: np.ndarray
    pr: np.ndarray
    erank: np.ndarray


class Running:
    """A product of (D, D) matrices that goes on, one text's.

    Attributes:
        matrix: C, of length 1; None before the first.
        log_norm: of what it would be without rescaling.

    Example:
        >>> import numpy as np
        >>> from semres_jax.dynamics.products import Running
        >>> running = Running()
        >>> for _ in range(3):
        ...     pr, erank = running.times(2 * np.eye(4))
        >>> round(pr, 6), round(float(np.exp(running.log_norm)), 6)
        (4.0, 16.0)
    """

    def __init__(self, matrix: np.ndarray | None = None, log_norm: float = 0.0):
        self.matrix, self.log_norm = matrix, log_norm

    def times(self, factor: np.ndarray) -> tuple[float, float]:
        """Multiply from the left; participation ratio and effective rank of the product.

        Raises:
            ValueError: the product is 0.
        """
        made = factor if self.matrix is None else factor @ self.matrix
        norm = float(np.linalg.norm(made))
        if not norm > 0:
            raise ValueError("a product of Jacobians is 0: nothing of a change is left; leave that layer out")
        self.matrix, self.log_norm = made / norm, self.log_norm + float(np.log(norm))
        return ranks(np.asarray(scipy.linalg.svdvals(self.matrix)))


def changed(matrix: Any, control: str | None, *, schur: Any = None, key: Any = None) -> np.ndarray:
    """A Jacobian as a control has it; float64.

    Raises:
        ValueError: no control of that name; a matrix that is 0 or not finite.

    Example:
        >>> import numpy as np
        >>> from semres_jax.dynamics import products
        >>> products.changed(np.array([[1.0, 5.0], [0.0, 2.0]]), "normal").tolist()
        [[1.0, 0.0], [0.0, 2.0]]
    """
    if control == "normal":
        return normal_part(matrix, schur=schur)
    if control in ("scrambled", "bases"):
        keep = "eigenvalues" if control == "scrambled" else "singular_values"
        return scrambled(matrix, keep=keep, schur=schur, key=key)
    if control is not None:
        raise ValueError(f"control must be one of {', '.join(CONTROLS)}, or None; got {control!r}")
    return np.asarray(matrix, np.float64)


def product(rows: Iterable[Jacobian], *, control: str | None = None, key: Any = None) -> Iterator[Product]:
    """Products of Jacobians as they come, layer by layer; of all earlier ones only C is kept.

    Args:
        rows: from `jacobians`, of layers in sequence.
        control: "normal", "scrambled" or "bases" (as the module says); None: the Jacobians themselves.
        key: of what is random.

    Raises:
        ValueError: another control, layers out of sequence, a Jacobian that is 0.

    Example:
        >>> import jax
        >>> from semres_jax import dynamics
        >>> from semres_jax.networks import llama
        >>> weights = llama.random_weights(jax.random.key(0), vocabulary=50, width=16, layers=3, heads=4, kv_heads=2)
        >>> made = list(dynamics.product(dynamics.jacobians(weights, [[7, 8, 9]], layers=[1, 2])))
        >>> [row.layer for row in made], bool(made[1].pr[0] < made[0].pr[0])
        ([1, 2], True)
    """
    rng, running, last = generator(key), list[Running](), None
    for row in rows:
        if last is not None and row.layer != last + 1:
            raise ValueError(f"layers must be in sequence; layer {row.layer} came after {last}")
        last, running = row.layer, running or [Running() for _ in row.matrices]
        drawn = rng.integers(0, 2**31, len(running)).tolist()
        measured = [
            state.times(changed(matrix, control, key=seed))
            for state, matrix, seed in zip(running, row.matrices, drawn, strict=True)
        ]
        pr, erank = np.array(measured).T
        yield Product(row.layer, np.array([state.log_norm for state in running]), pr, erank)
