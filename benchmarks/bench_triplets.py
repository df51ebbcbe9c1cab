"""Triplets: a million judgements with one family, and embeddings against cblearn's SOE and t-STE on the same triplets.

All are fitted to the same judgements, and told by others of the same stimuli, which none has seen. t-STE has a
likelihood of its own; SOE has none, so that the best of three similarity functions with a floor is fitted to its
distances, on the judgements that it was made from; t-STE gets the better of both. What is odd one out is two triplets
with an anchor for the peers. Peers start as often as ours and keep their best. The stimuli are others than those that
settings of ours were chosen on (seeds 0 to 3).
"""

import functools

import numpy as np
from measuring import apart, installed, timed
from report import figure, main, row, say

from semres_jax import measure
from semres_jax.data import Triplets

EPSILON, FLOOR, STARTS = 0.25, 0.05, 6
STIMULI, JUDGED, UNSEEN = 40, 6_000, 20_000
# Seeds of the comparison; settings of the training were chosen on seeds 0 to 3.
FIRST = 100
MANY, MANY_STIMULI = 1_000_000, 1_000
ORDERS = np.array([[0, 1, 2], [0, 2, 1], [1, 2, 0]])


def drawn(layout: str, size: int, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Distances of stimuli in the unit square, and judgements by a gaussian similarity with a floor."""
    rng = np.random.default_rng(seed)
    x = rng.random((size, 2))
    table = np.sqrt(((x[:, None] - x) ** 2).sum(-1))
    i = rng.integers(0, size, count)
    j = (i + rng.integers(1, size, count)) % size
    k = (i + rng.integers(1, size, count)) % size
    apart_ = j != k
    three = np.stack([i, j, k], axis=1)[apart_]
    i, j, k = three.T
    d = np.stack([table[i, j], table[i, k], *([table[j, k]] if layout == "odd" else [])], axis=1)
    strength = FLOOR + (1 - FLOOR) * np.exp(-((d / EPSILON) ** 2) / 2)
    chosen = (np.log(strength) + rng.gumbel(size=d.shape)).argmax(1)
    return table, np.take_along_axis(three, ORDERS[chosen], axis=1)


@functools.cache
def million(layout: str) -> tuple[np.ndarray, Triplets]:
    table, said = drawn(layout, MANY_STIMULI, MANY * 1001 // 1000, 0)
    return table, Triplets(said[:MANY], layout)


def fit_million(layout: str, family: str = "gaussian"):
    table, said = million(layout)
    return measure.fit_triplets(said, table, families=[family], bootstrap=0, fronts={})


def fit_million_odd(count: int):
    """As `apart` calls it: in a process of its own."""
    return fit_million("odd")


def pairs(said: np.ndarray, layout: str) -> list[tuple[np.ndarray, np.ndarray]]:
    i, j, k = said.T
    return [(i, j), (i, k), *([(j, k)] if layout == "odd" else [])]


def scores(log_strength: np.ndarray, said: np.ndarray, layout: str) -> tuple[float, float]:
    """Mean -ln P of the chosen pair, and the share of judgements in which it is the most likely."""
    s = np.stack([log_strength[a, b] for a, b in pairs(said, layout)], axis=1)
    most = s.max(1)
    surprise = most + np.log(np.exp(s - most[:, None]).sum(1)) - s[:, 0]
    return float(surprise.mean()), float((s[:, 0] >= most).mean())


def linked(table: np.ndarray, said: np.ndarray, layout: str) -> np.ndarray:
    """Log strengths of pairs by the similarity function that makes judgements most likely over given distances."""
    fit = measure.fit_triplets(
        said,
        table / table.max(),
        layout=layout,
        families=["gaussian", "exponential", "powerlaw"],
        bootstrap=0,
        fronts={},
    )
    from semres_jax.measure.choices.influence import fitted_similarity

    similarity, exponent = fitted_similarity(fit.best)
    return exponent * np.log(np.maximum(np.asarray(similarity(table / table.max()), np.float64), 1e-300))


def distances(points: np.ndarray) -> np.ndarray:
    return np.sqrt(((points[:, None] - points) ** 2).sum(-1))


def peers(said: np.ndarray, layout: str, unseen: np.ndarray) -> dict[str, tuple[float, float]]:
    """Surprise and share of the most likely, for judgements that were not seen, of cblearn's best starts."""
    from cblearn import embedding

    i, j, k = said.T
    anchored = said if layout == "anchor" else np.concatenate([said, np.stack([j, i, k], axis=1)])
    soe = embedding.SOE(n_components=2, n_init=STARTS, random_state=0).fit(anchored)
    starts = [embedding.TSTE(n_components=2, random_state=seed).fit(anchored) for seed in range(STARTS)]
    tste = min(starts, key=lambda start: start.stress_)
    scored = {"SOE": scores(linked(distances(soe.embedding_), said, layout), unseen, layout)}
    own = -np.log1p(distances(tste.embedding_) ** 2)  # of one degree of freedom in two dimensions: (1 + d²)^-1
    scored["t-STE"] = min(scores(s, unseen, layout) for s in (own, linked(distances(tste.embedding_), said, layout)))
    return scored


def ours(said: np.ndarray, layout: str, unseen: np.ndarray) -> tuple[float, float]:
    made = measure.embed_triplets(said, layout=layout, starts=STARTS, held_out=0.0)
    return scores(np.log(np.maximum(np.asarray(made.similarity(made.distances), np.float64), 1e-300)), unseen, layout)


def compared(layout: str, rounds: int) -> list[dict]:
    rows, tables = [], []
    for seed in range(FIRST, FIRST + rounds):
        _, said = drawn(layout, STIMULI, JUDGED + UNSEEN, seed)
        seen, unseen = said[:JUDGED], said[JUDGED:]
        tables.append({"ours": ours(seen, layout, unseen), **peers(seen, layout, unseen)})
    for peer in ("SOE", "t-STE"):
        for k, (what, unit, better) in enumerate(
            (("surprise, mean -ln P of a judgement not seen", "nats", "less"), ("most likely pair chosen", "", "more"))
        ):
            own, other = (float(np.mean([table[name][k] for table in tables])) for name in ("ours", peer))
            least, most = (end(t["ours"][k] - t[peer][k] for t in tables) for end in (min, max))
            rows.append(row(
                f"{layout}, {STIMULI} stimuli, {JUDGED:,} judgements, against {peer}: {what}", own, unit,
                peer=f"cblearn {peer}", peer_value=other, better=better, bar="ratio >= 1" if k == 0 else None,
                note=f"Ours less {peer}'s over {rounds} sets of stimuli: {least:+.4f} to {most:+.4f}.",
            ))  # fmt: skip
    return rows


def run(quick: bool) -> dict:
    rows = []
    for layout in ("odd", "anchor"):
        say(f"a million judgements, {layout}")
        million(layout)
        for family in ("gaussian",) if quick else ("gaussian", "exponential", "powerlaw"):
            seconds = timed(functools.partial(fit_million, layout, family))
            what = f"{MANY:,} {layout} triplets of {MANY_STIMULI:,} stimuli, {family} with a floor: fit and accuracies"
            rows.append(row(what, seconds, "s", bar="value <= 60"))
    say("memory")
    most = apart("bench_triplets", "fit_million_odd", MANY)["gigabytes"]
    rows.append(row(f"peak memory of a process that fits {MANY:,} odd triplets", most, "GB", bar="value <= 4"))
    if not installed("cblearn"):
        return {"rows": rows, "left_out": "embeddings against cblearn: not installed (extra peers)"}
    for layout in ("anchor", "odd"):
        say(f"embeddings against cblearn, {layout}")
        rows += compared(layout, 1 if quick else 3)
    return {"rows": rows, "note": f"smallest ratio {figure(min(r['ratio'] for r in rows if r['ratio'] is not None))}"}


if __name__ == "__main__":
    main(run, __doc__)
