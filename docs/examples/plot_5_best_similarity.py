"""
The best similarity there is
============================

Of all similarities with a floor Δ, which generalizes best? `frontier.optimal` finds it, and certifies that no other
does better by more than the gap that it reports. It keeps some stimuli fully alike and some fully apart, and grades
what is between.
"""

import matplotlib.pyplot as plt
import numpy as np

from semres_jax import frontier

fig, ax = plt.subplots(figsize=(5.5, 4), layout="constrained")
for delta, style in ((0.02, "-"), (0.1, "--"), (0.3, ":")):
    best = frontier.optimal(delta)
    share = np.concatenate([[0.0], np.cumsum(best.mass)])
    ax.step(share, np.concatenate([np.exp(-best.phi), [delta]]), style, where="post", color="black",
            label=f"Δ = {delta:g}: $p_S$ = {float(best.accuracy.p_s):.4f}")  # fmt: skip
ax.set(xlabel="share of the space that is closer", ylabel="similarity g", ylim=(0, 1.02))
ax.legend()
plt.show()
