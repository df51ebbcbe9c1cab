"""
A network learns its resolution
===============================

The paper's toy network, 50 stimuli in 10 hidden dimensions, trained on pairs to say which is closer to a probe. Scores
at each recorded step are exact sums over all trials. It climbs to the top of the front of linear similarities, and
then drifts along it to finer resolutions.
"""

import jax
import matplotlib.pyplot as plt
import numpy as np

from semres_jax import frontier, spaces
from semres_jax.training import toy

stimuli = spaces.grid(spaces.Circle(), 50)
history = toy.train(stimuli, key=jax.random.key(0), runs=4, steps=1500, records=50)
front = frontier.sweep(stimuli, "linear", 2, epsilon=np.linspace(0.05, 0.7, 60)).squeeze()
fig, ax = plt.subplots(figsize=(5.5, 5), layout="constrained")
ax.plot(history.p_i[..., 0].T, history.p_s[..., 0].T, color="#0072B2", lw=1, label="_")
ax.plot([], [], color="#0072B2", lw=1, label="four trainings, 1,500 steps")
ax.plot(front.p_i, front.p_s, "--", color="black", label="linear similarities on the same stimuli, exact")
fig.legend(loc="outside lower center")
ax.set(xlabel="identification $p_I$ (probability)", ylabel="generalization $p_S$ (probability)")
plt.show()
