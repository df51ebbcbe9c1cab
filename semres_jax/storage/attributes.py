"""What variables of datasets are called in words, and their units: `dataset.p_s.plot()` labels its axes with them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import xarray

# Units of distances, of log odds and likelihoods, of what has no dimension; names and other texts have none.
DISTANCE, NATS, PURE, TEXT = "unit of the space", "nats", "1", ""

# (long_name, units) by name, for the names that mean the same wherever they stand.
NAMES: dict[str, tuple[str, str]] = {
    # what is swept
    "space": ("space", TEXT),
    "similarity": ("similarity function", TEXT),
    "family": ("family of similarity functions", TEXT),
    "epsilon": ("resolution ε", DISTANCE),
    "resolution": ("resolution ε", DISTANCE),
    "delta": ("noise floor Δ", PURE),
    "n": ("number of items n", "items"),
    "exponent": ("Luce exponent", PURE),
    # accuracies and balls
    "p_s": ("generalization p_S (probability)", PURE),
    "p_i": ("identification p_I (probability)", PURE),
    "mean_b": ("mean ball measure ⟨b⟩, share of the stimuli within ε", PURE),
    "var_b": ("variance of the ball measure over probes", PURE),
    "best_b": ("ball measure b*(n) of the best p_S by the law", PURE),
    "tie_rate": ("share of similarity trials whose items are equally far", PURE),
    # simulations against laws
    "exact_p_s": ("generalization p_S by the law", PURE),
    "exact_p_i": ("identification p_I by the law", PURE),
    "z_s": ("p_S of the simulation less that of the law, in standard errors", PURE),
    "z_i": ("p_I of the simulation less that of the law, in standard errors", PURE),
    "z": ("largest difference from the law, in standard errors", PURE),
    "error": ("largest difference from the law, in probability", PURE),
    "curve_p_s": ("generalization p_S along the law's curve", PURE),
    "curve_p_i": ("identification p_I along the law's curve", PURE),
    "trials": ("number of trials", "trials"),
    "seconds": ("time of the simulation", "s"),
    "trials_per_second": ("speed of the simulation", "trials/s"),
    "note": ("what was left out, and why", TEXT),
    "homogeneous": ("whether all balls of a radius have the same measure", PURE),
    # the best similarity
    "weight": ("weight of p_S against p_I", PURE),
    "gap": ("most that any similarity may gain to first order", PURE),
    "levels": ("number of levels of similarity", "levels"),
    "starts": ("number of starts of the search", "starts"),
    "agreeing": ("number of starts that reached the best", "starts"),
    "atoms": ("share of stimuli at an end of the range of similarities", PURE),
    "end": ("end, or part of a number", TEXT),
    "phi": ("level of similarity, -ln h", NATS),
    "mass": ("share of stimuli at the level", PURE),
    "u": ("share u of all stimuli that are closer", PURE),
    "h": ("similarity h(u)", PURE),
    "constant_b": ("ball measure of the best constant similarity", PURE),
    "constant_p_s": ("generalization p_S of the best constant similarity", PURE),
    "deficit": ("what the best constant similarity lacks in p_S", PURE),
    "front_p_s": ("generalization p_S along the front", PURE),
    "front_p_i": ("identification p_I along the front", PURE),
    # geometry: neural collapse, superposition
    "participation": ("effective dimension, participation ratio of the covariance", "dimensions"),
    "class_participation": ("effective dimension of the class means", "dimensions"),
    "nc1": ("NC1, tr(Σ_W Σ_B⁺) / C: variability within classes against between", PURE),
    "nc1_ratio": ("tr Σ_W / tr Σ_B: variability within classes over that between", PURE),
    "nc2_norms": ("NC2, variation of the lengths of centred class means", PURE),
    "nc2_cosines": ("NC2, standard deviation of cosines between class means", PURE),
    "nc2_angles": ("NC2, mean |cos + 1 / (C - 1)| between class means", PURE),
    "nc3": ("NC3, distance of class weights from class means, both of length 1", PURE),
    "nc4": ("NC4, share of points not classified by the nearest class mean", PURE),
    "feature_dimensions": ("dimensions of a stimulus, ‖w_i‖² / Σ_j (ŵ_i·w_j)²", "dimensions"),
    "mean_feature_dimensions": ("mean over stimuli of their dimensions, ‖w_i‖² / Σ_j (ŵ_i·w_j)²", "dimensions"),
    "interference": ("interference of other stimuli, Σ_{j≠i} (ŵ_i·w_j)² over ‖w_i‖², both summed over i", PURE),
    "passed_interference": ("the part of the interference that the ReLU lets through", PURE),
    "per_feature": ("dimensions per feature, m / ‖W‖², mean over slots", "dimensions"),
    # fits to choices
    "bias": ("answer biases that are fitted", TEXT),
    "fit": ("fit", TEXT),
    "label": ("label of an item", TEXT),
    "position": ("position of an item", TEXT),
    "label_bias": ("bias of a label, in log odds", NATS),
    "position_bias": ("bias of a position, in log odds", NATS),
    "log_likelihood": ("log likelihood of the choices", NATS),
    "aic": ("Akaike's information criterion", PURE),
    "aicc": ("Akaike's information criterion, corrected for few choices", PURE),
    "bic": ("Bayesian information criterion", PURE),
    "mcfadden_r2": ("McFadden's R²", PURE),
    "parameters": ("number of fitted numbers", "numbers"),
    "slope": ("largest slope of the log likelihood left", PURE),
    "profile": ("twice the log likelihood lost at a resolution", PURE),
    "deviance_p": ("p-value of the deviance", PURE),
    "calibration_middle": ("predicted probability, middle of a bin", PURE),
    "calibration_choices": ("choices in a bin of predicted probability", "items"),
    "gap_middle": ("distance between the closest and the next item, middle of a bin", DISTANCE),
    "gap_choices": ("choices in a bin of distance", "trials"),
    **{
        f"{by}_{part}": (f"{words} {what}", PURE)
        for by, what in (("calibration", "by predicted probability"), ("gap", "by distance to the next item"))
        for part, words in (
            ("predicted", "share of choices that the fit predicts,"),
            ("observed", "share of choices that was seen,"),
            ("stderr", "standard error of that share,"),
            ("chi_square", "χ² of choices against the fit,"),
            ("p", "p-value of the χ²,"),
        )
    },
    "right": ("number of right identifications", "trials"),
    "expected": ("identification p_I by the fitted law", PURE),
}
# Units that readers of NetCDF take for times, and turn numbers into dates of; as these they leave them numbers.
_TIMES = {
    "days": "d", "hours": "h", "minutes": "min", "seconds": "s", "milliseconds": "ms", "microseconds": "us",
    "nanoseconds": "ns",
}  # fmt: skip
# What the end of a name adds to what stands before it.
_ENDS = {
    "_stderr": "standard error of {}",
    "_low": "lower end of the interval of {}",
    "_high": "upper end of the interval of {}",
}


def labelled(dataset: "xarray.Dataset", units: Mapping[str, str] | None = None) -> "xarray.Dataset":
    """The same dataset with `long_name`, and on numbers `units`, on every variable and coordinate that has none yet.

    They come from `NAMES`; those of NAME_stderr, NAME_low and NAME_high from NAME. A variable that was given its own
    `long_name` is without dimension unless `units` or `NAMES` say otherwise. Names of things ("space") have no
    unit: a title would say "space = circle []". Of a unit of time its beginning is kept ("years since 1900": "years"),
    and "seconds" are "s": xarray would read dates and durations. Numbers and fingerprints of runs don't depend on
    attributes.

    Args:
        dataset: whose attributes are filled in, in place.
        units: by name, where they are others than those of `NAMES`.

    Example:
        >>> import xarray
        >>> from semres_jax.storage import attributes
        >>> table = attributes.labelled(xarray.Dataset({"p_s_stderr": ("n", [0.1])}, {"n": [2]}))
        >>> table.p_s_stderr.attrs["long_name"], table.n.attrs["units"]
        ('standard error of generalization p_S (probability)', 'items')
    """
    own = units or {}
    for name, variable in dataset.variables.items():
        words, unit = _meaning(str(name))
        if not variable.attrs.setdefault("long_name", words):
            del variable.attrs["long_name"]  # a name that belongs into `NAMES`; the numbers are there all the same
        if variable.dtype.kind not in "OSUT":
            variable.attrs.setdefault("units", own.get(str(name), own.get(_base(str(name)), unit or PURE)))
        if "units" in variable.attrs:
            variable.attrs["units"] = _kept(variable.attrs["units"])
    return dataset


def _kept(unit: str) -> str:
    """The unit, so that numbers are read again as they are: "million years since divergence" would be a date."""
    first = unit.partition("since")[0].strip() or PURE
    return _TIMES.get(first, first)


def _base(name: str) -> str:
    """What stands before an end such as "_low"; a name without one is its own."""
    return next((name.removesuffix(end) for end in _ENDS if name.endswith(end)), name)


def _meaning(name: str) -> tuple[str, Any]:
    """(long_name, units) of a name; the former is empty where `NAMES` has neither it nor what it is an end of."""
    if name in NAMES:
        return NAMES[name]
    base = _base(name)
    words, unit = NAMES.get(base, ("", PURE))
    return (_ENDS[name.removeprefix(base)].format(words) if words and base != name else words), unit
