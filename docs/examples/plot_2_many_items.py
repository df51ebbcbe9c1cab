"""
Many items: p_I falls as 1/n
============================

With n items, identification goes like 1/(n b): every item in the ball of the probe is as good as the probe itself.
Generalization does not: at the right resolution, b = λ*/n, it stays above one half however many items there are.
"""

import matplotlib.pyplot as plt
import numpy as np

from semres_jax import laws

n = np.unique(np.geomspace(2, 10_000, 40).astype(int))
fig, (left, right) = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
for b, style in ((0.02, "-"), (0.1, "--"), (0.5, ":")):
    left.loglog(n, [laws.constant(b, n=int(k)).p_i for k in n], style, color="black", label=f"b = {b:g}")
left.set(xlabel="number of items n", ylabel="identification $p_I$ (probability)")
left.legend()

best = [laws.constant(laws.optimal_ball_measure(int(k)), n=int(k)).p_s for k in n]
right.semilogx(n, best, color="black", label="at the best resolution of each n")
right.semilogx(n, 1 / n, ":", color="black", label="chance, 1/n")
right.axhline(laws.LAMBDA_STAR_ACCURACY, color="#0072B2", linestyle="--", label="the limit, 0.5174")
right.set(xlabel="number of items n", ylabel="generalization $p_S$ (probability)", ylim=(0, 0.8))
right.legend()
plt.show()
