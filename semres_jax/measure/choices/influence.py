"""What single choices do to a fit, to first order, and the similarity function that a fit is."""

import numpy as np

from semres_jax.measure.choices import _likelihood as likelihood, _model as model
from semres_jax.measure.choices.fits import ChoiceFit
from semres_jax.similarity import PowerLaw, Similarity


def choice_influence(fit: ChoiceFit) -> np.ndarray | None:
    """By how much one more choice of each item moves the estimate, to first order: I⁻¹ ∂ ln P(item).

    With I minus the Hessian of the log likelihood at the estimate. Sums of squares over the choices that were made are
    the sandwich estimate of the variance (Huber 1967): right also where the family isn't the true one. What was given,
    and a floor of 0, stays.

    Args:
        fit: of `fit_choices`.

    Returns:
        (T, n, P) in (ln ε, logit Δ, ln a, biases), 0 where an item can't be chosen; None for families with steps or
        kinks in ε, whose estimate doesn't move so.

    Example:
        >>> import numpy as np
        >>> from semres_jax import measure
        >>> from semres_jax.measure.choices.influence import choice_influence
        >>> d = np.random.default_rng(0).uniform(0, 1, (300, 2))
        >>> fit = measure.fit_choices(d, (d[:, 1] < d[:, 0] + 0.2).astype(int), delta=0.1)
        >>> moved = choice_influence(fit)
        >>> moved.shape, float(abs((moved * fit.setup.counts[..., None]).sum((0, 1))).max()) < 1e-6
        ((300, 2, 3), True)
    """
    setup, theta = fit.setup, fit.theta[None]
    if setup.windowed:
        return None
    basis = setup.basis(*((1,) if fit.theta[1] <= model.FLOOR + 1 else ()))
    hessian = model.derivatives(setup, theta)[2][0]
    inverse = basis @ np.linalg.pinv(-basis.T @ hessian @ basis, hermitian=True) @ basis.T
    _, p, slopes = likelihood.log_shares(theta, setup.table, setup.family)
    own = np.stack([np.broadcast_to(slope, p.shape)[:, 0].T for slope in slopes], axis=-1)
    own = np.concatenate([own, setup.table.design], axis=-1)
    share = p[:, 0].T[..., None]
    return np.where(share > 0, own - (share * own).sum(1, keepdims=True), 0.0) @ inverse


def fitted_similarity(fit: ChoiceFit, theta: np.ndarray | None = None) -> tuple[Similarity, float]:
    """The similarity function of a fit and Luce's exponent; at other numbers (ln ε, logit Δ, ln a) if they are given.

    Example:
        >>> import numpy as np
        >>> from semres_jax import measure
        >>> from semres_jax.measure.choices.influence import fitted_similarity
        >>> d = np.array([[0.1, 0.5], [0.4, 0.2], [0.3, 0.2]])
        >>> fit = measure.fit_choices(d, [0, 1, 0], delta=0.1, intervals=False)
        >>> fitted_similarity(fit)[0].name, fitted_similarity(fit)[1]
        ('exponential', 1.0)
    """
    epsilon, delta, exponent = fit.epsilon.value, fit.delta.value, fit.exponent.value
    if theta is not None:
        numbers = likelihood.strengths.numbers(np.asarray(theta)[None])
        epsilon, delta, exponent = (float(numbers[k][0, 0]) for k in (0, 1, 4))
    family = fit.setup.family
    if family.kind is PowerLaw and not family.fixed:  # its own exponent and Luce's are one
        return PowerLaw(epsilon, exponent, delta), 1.0
    return family(epsilon, delta), exponent
