"""
Simulation on the law
=====================

`estimate` draws millions of trials and knows nothing of the laws. Spaces where all balls of a radius are alike fall on
one curve; on others what their balls vary by costs generalization, exactly Var(b) with two items.
"""

import jax
import matplotlib.pyplot as plt
import numpy as np

import semres_jax as sr

b = np.linspace(0, 1, 201)
fig, ax = plt.subplots(figsize=(5.5, 5), layout="constrained")
law = sr.laws.constant(b, n=2)
ax.plot(law.p_i, law.p_s, color="black", label="theorem 1, Var(b) = 0")
marks = {"circle": "o", "sphere(2)": "s", "interval": "^", "gaussian(2)": "D"}
for color, (name, mark) in zip(("#0072B2", "#009E73", "#D55E00", "#CC79A7"), marks.items(), strict=True):
    space = sr.spaces.get(name)
    epsilon = np.linspace(0.05, 0.95, 9) * min(float(space.diameter), 4.0)
    measured = sr.estimate(space, sr.Constant(epsilon), key=jax.random.key(0), trials=2**18)
    ax.errorbar(
        measured.p_i, measured.p_s, 3 * measured.p_s_stderr, 3 * measured.p_i_stderr, mark, color=color, label=name
    )
ax.set(xlabel="identification $p_I$ (probability)", ylabel="generalization $p_S$ (probability)")
fig.legend(loc="outside lower center", ncols=3, title="bars: three standard errors")
plt.show()
