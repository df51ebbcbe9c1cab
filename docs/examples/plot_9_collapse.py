"""
Collapse is the identification end
==================================

Networks that classify end in neural collapse: the images of a class become one point, and the classes the corners of a
simplex, all equally far apart. Then nothing is closer to anything: p_S = 1/2 and p_I = 1. Two ways there, from
embeddings whose dot products are the linear similarity on a ring that generalizes best: its resolution falls to
nothing, which is the way along the front, or a simplex is mixed in, which keeps p_S for longer.
"""

import matplotlib.pyplot as plt
import numpy as np

from semres_jax import frontier, measure, spaces

N, EPSILON = 60, 0.31
ring = spaces.grid(spaces.Circle(), N)
distance = np.asarray(ring.distances, float)
simplex = np.sqrt(N / (N - 1)) * (np.eye(N) - 1 / N)  # of length 1, with cosines -1 / (N - 1)


def frame(products):
    """Rows with these dot products."""
    values, vectors = np.linalg.eigh(products)
    return vectors * np.sqrt(np.maximum(values, 0))


best = frame(1 - distance / EPSILON)
weights = np.concatenate([np.linspace(0, 0.02, 5), np.geomspace(0.022, 1, 22)])
ways = {
    "resolution falls": [frame(np.maximum(1 - distance / e, 0)) for e in np.geomspace(0.9 / N, EPSILON, 27)],
    "simplex mixed in": [np.concatenate([np.sqrt(w) * best, np.sqrt(1 - w) * simplex], axis=1) for w in weights],
}
looks = {"resolution falls": ("#D55E00", "s"), "simplex mixed in": ("#0072B2", "o")}

fig, (plane, *sides) = plt.subplots(1, 3, figsize=(12, 4), layout="constrained")
for name, dash in (("constant", "--"), ("linear", "-")):
    front = frontier.family_front(ring, name)
    plane.plot(front.p_i, front.p_s, dash, color="black", lw=1, label=f"{name} similarities, exact")
for name, points in ways.items():
    color, mark = looks[name]
    look = {"color": color, "marker": mark, "ms": 4, "mfc": "white", "lw": 0.8, "label": name, "clip_on": False}
    models = [measure.embeddings(x, ring, optimal="none", bootstrap=0, fronts={}) for x in points]
    p_s, p_i = (np.array([float(getattr(model, p).value) for model in models]) for p in ("p_s", "p_i"))
    angles = [measure.geometry(x, range(N)).nc2_angles for x in points]
    plane.plot(p_i, p_s, **look)
    for side, accuracy in zip(sides, (p_s, p_i), strict=True):
        side.plot(angles, accuracy, **look)
plane.annotate("collapse", (1, 0.5), (-62, -3), textcoords="offset points")
plane.set(xlabel="identification $p_I$ (probability)", ylabel="generalization $p_S$ (probability)")
plane.legend(loc="lower left", bbox_to_anchor=(0, 1), frameon=False, fontsize=8, ncols=2)
for side, name in zip(sides, ("generalization $p_S$", "identification $p_I$"), strict=True):
    side.set(xlabel="NC2: mean |cos + 1 / (C − 1)|, 0 at a simplex", ylabel=f"{name} (probability)")
plt.show()
