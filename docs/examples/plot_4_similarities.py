"""
Other similarities, the same floor
==================================

Graded similarities with a floor of 0.02, on the circle, two items, by exact integrals: at fine resolutions they lie a
little beyond the front of the constant similarity; past a ball of about a half, below it. `sweep` computes all of them
in one call.
"""

import matplotlib.pyplot as plt
import numpy as np

from semres_jax import frontier, spaces

kinds = {"constant": "-", "linear": "--", "exponential": ":", "gaussian": "-."}
table = frontier.sweep(spaces.Circle(), list(kinds), 2, epsilon=np.geomspace(0.005, 0.5, 60), delta=0.02)
fig, ax = plt.subplots(figsize=(5.5, 5), layout="constrained")
for kind, style in kinds.items():
    of_kind = table.sel(similarity=kind).squeeze()
    ax.plot(of_kind.p_i, of_kind.p_s, style, color="black", label=kind)
ax.set(xlabel="identification $p_I$ (probability)", ylabel="generalization $p_S$ (probability)")
fig.legend(loc="outside lower center", ncols=4)
plt.show()
