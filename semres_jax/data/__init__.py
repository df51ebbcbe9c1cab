"""Small real data that ships with the package; README.md says where each file comes from and how it was made."""

from semres_jax.data.animals import (
    Animals as Animals,
    load_animals as load_animals,
    silhouette_points as silhouette_points,
)
