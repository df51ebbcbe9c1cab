"""`semres sprites`: a network with a head for each of two features against one embedding of the same size."""

import dataclasses
import time
from pathlib import Path
from typing import Annotated, Any

import tyro

from semres_jax.cli._common import (
    Count,
    Force,
    Report,
    Whole,
    checking_input,
    print_cells,
    progress_bar,
    require_seed,
    warnings_as_lines,
)
from semres_jax.cli._surroundings import say

_RUNS, _STEPS, _QUICK_RUNS, _QUICK_STEPS = 5, 800, 2, 200
_Default = tyro.conf.arg


@dataclasses.dataclass(frozen=True)
class Sprites:
    """Train a network with a head for each of two features, and the same with one embedding, on animals at places.

    Stimuli are the package's animals at places around a circle. Feature similarity and identification of wholes are
    exact sums over all stimuli, laid over the front of everything that a single similarity can do. Writes sprites.nc,
    sprites.json, figures, and checkpoints from which --resume goes on.

    Example: semres sprites --quick --out results/sprites
    """

    positions: Whole = 8
    """The circle has so many places: 4, 8 or 16."""
    features: Whole = 16
    """The embedding has so many dimensions, half of them for each of two heads."""
    alpha: float = 0.5
    """The loss of distances has this weight, from 0 to 1, and the classifiers have the rest."""
    runs: Annotated[Count, _Default(help_behavior_hint="(default: 5)")] = None
    """Each code is trained so many times, from different starts."""
    steps: Annotated[Count, _Default(help_behavior_hint="(default: 800)")] = None
    """The training has so many steps, each with every stimulus."""
    learning_rate: float = 0.2
    """The learning rate of SGD rises to this."""
    draws: Whole = 4
    """The test has so many renderings of every stimulus, at least 2."""
    quick: bool = False
    """Two runs and 200 steps are the defaults, which take under a minute on two cores."""
    seed: int = 0
    """All random numbers follow from this seed, the split into training and test silhouettes too."""
    resume: bool = False
    """Go on from the checkpoints in --out."""
    out: Path = Path("results/sprites")
    """Results go to this folder, which is made if it is missing."""
    force: Force = False
    json: bool = False
    """End with one line of JSON on standard output."""

    def run(self) -> int:
        """Train, score, print, write."""
        started = time.perf_counter()
        with checking_input():
            import jax

            from semres_jax import Execution, plots
            from semres_jax.experiments import sprites as sprite_study
            from semres_jax.training.images import Diverged

            recipe, more = self.settings()
            report = Report(
                "sprites",
                self.out,
                "sprites",
                title="a head for each feature against one embedding, on sprites",
                seed=self.seed,
                force=self.force,
                goes_on_from="checkpoints" * self.resume,
            )
        folder = report.folder
        if self.resume and not (folder / "checkpoints").is_dir():
            say(f"no checkpoints in {folder}; starting anew")
        with checking_input(None, Diverged), progress_bar() as progress, warnings_as_lines():
            data = sprite_study.study(
                recipe,
                key=jax.random.key(self.seed),
                **more,
                checkpoints=folder / "checkpoints",
                resume=self.resume,
                execution=Execution(progress=progress),
            )
        summary = {"rows": sprite_study.summary(data), "most": float(data.most)}
        summary |= {"accuracy": data.accuracy.mean("run").values.tolist(), "tie_rate": data.tie_rate.values.tolist()}
        content = report.write(data, summary, seconds=round(time.perf_counter() - started, 3))
        print_table(content)
        return report.end(plots.save_sprites(data, folder), as_json=self.json)

    def settings(self) -> tuple[Any, dict[str, Any]]:
        """The recipe of training, and what else `study` is to do.

        Raises:
            ValueError: an option out of range.
        """
        from semres_jax.data.rendering import require_positions
        from semres_jax.training.images.sprites import SpriteRecipe

        require_seed(self.seed)
        for name, least in (("runs", 1), ("steps", 1), ("draws", 2)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise ValueError(f"--{name} must be at least {least}; got {value}")
        require_positions(self.positions)
        runs, steps = (_QUICK_RUNS, _QUICK_STEPS) if self.quick else (_RUNS, _STEPS)
        recipe = SpriteRecipe(
            features=self.features,
            steps=steps if self.steps is None else self.steps,
            alpha=self.alpha,
            learning_rate=self.learning_rate,
        )
        runs = runs if self.runs is None else self.runs
        return recipe, {"positions": self.positions, "runs": runs, "draws": self.draws}


def print_table(content: dict[str, Any]) -> None:
    """One row for each code and way to read it on standard output: means over runs, with 95 % intervals."""
    from semres_jax import Quantity

    def bounded(row: dict[str, Any], name: str) -> str:
        if name not in row:
            return ""
        low, high = row[f"{name}_interval"]
        return f"{Quantity(row[name], low=low, high=high):.3f}"

    heads = ("similarity", "picture", "code", "whole by", "b", "p_S animal", "p_S place", "p_I", "beyond any single",
             "beyond one embedding", "beyond theorem 1")  # fmt: skip
    cells = [
        (row["family"], row["picture"], row["code"], row["aggregate"], f"{row['share']:.3f}",
         *(f"{x:.3f}" for x in row["feature_p_s"].values()), f"{row['p_i']:.3f}",
         bounded(row, "beyond") or bounded(row, "over_most"),
         *(bounded(row, name) for name in ("beyond_learned", "beyond_theorem_1")))
        for row in content["rows"]
    ]  # fmt: skip
    print_cells(heads, cells, left=heads[:4])
    animal, place = content["tie_rate"]
    print(
        "each at its best resolution (b: other stimuli within that of a slot); means over runs, 95 % over runs\n"
        "picture: the item to identify is the probe's own picture, or another of the same stimulus\n"
        "beyond any single: constant, distance from the front of all single similarities of two values; exponential, "
        f"mean p_S\nless the most of any single similarity, {content['most']:.3f}; ties: {animal:.3f} of trials by "
        f"animal, {place:.3f} by place"
    )
