"""
The front: generalize or identify
=================================

A constant similarity calls everything within ε of the probe the same. With two items and no floor, theorem 1 of Nurisso
et al. says where that leaves both accuracies, by the share b of the space that a ball of radius ε holds. Noise moves
the front inward: with a floor Δ what is beyond ε is still taken for similar, a little.
"""

import matplotlib.pyplot as plt
import numpy as np

from semres_jax import laws

b = np.linspace(0, 1, 201)
fig, ax = plt.subplots(figsize=(5.5, 5), layout="constrained")
for delta, style in ((0.0, "-"), (0.1, "--"), (0.3, ":")):
    p_s, p_i = laws.constant(b, n=2, delta=delta)
    ax.plot(p_i, p_s, style, color="black", label=f"Δ = {delta:g}")
best = laws.constant(0.5, n=2)
ax.plot(best.p_i, best.p_s, "o", color="#D55E00", label="b = 1/2: the most that $p_S$ can be, 3/4")
ax.set(xlabel="identification $p_I$ (probability)", ylabel="generalization $p_S$ (probability)")
fig.legend(loc="outside lower center", ncols=2)
plt.show()

# %%
# The point moves along the front as ε grows: from the right, where only the probe itself is similar (chance at
# generalizing), over the top, to the left, where everything is.
