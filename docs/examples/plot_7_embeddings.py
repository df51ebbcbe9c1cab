"""
Your embeddings on the front
============================

Embeddings of 60 stimuli on a circle, as a model might have them: `measure.embeddings` scores them exactly, fits the
similarity function that they are most like, and says how far they are from the fronts.
"""

import matplotlib.pyplot as plt
import numpy as np

from semres_jax import measure, spaces

rng = np.random.default_rng(0)
angle = np.arange(60) * 2 * np.pi / 60
waves = np.arange(1, 6)
points = np.concatenate([f(angle[:, None] * waves) / np.sqrt(waves) for f in (np.cos, np.sin)], axis=1)
points += 0.05 * rng.normal(size=points.shape)
circle = spaces.grid(spaces.Circle(), 60)

measured = measure.embeddings(points, circle, optimal="none")
print(measured.p_s, measured.p_i)

profile = measure.profile(circle, np.maximum(points @ points.T, 0))
fig, ax = plt.subplots(figsize=(5.5, 4), layout="constrained")
ax.plot(profile.distance, profile.mean, "o", color="#0072B2", ms=4)
ax.set(xlabel="distance on the circle (circumferences)", ylabel="mean similarity of the embeddings")
plt.show()
