"""`semres resnet`: residual networks on images, between telling classes and having their distances."""

import dataclasses
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from semres_jax.cli._common import (
    Count,
    Force,
    Report,
    Whole,
    _list_of,
    _option,
    checking_input,
    number,
    print_cells,
    progress_bar,
    require_seed,
    warnings_as_lines,
)
from semres_jax.cli._surroundings import say

if TYPE_CHECKING:
    from semres_jax.data import ImageSet

_ALPHAS, _RUNS, _EPOCHS = (0.0, 0.25, 0.5, 0.75, 0.9, 1.0), 3, 12
_QUICK_ALPHAS, _QUICK_RUNS, _QUICK_EPOCHS, _QUICK_GRADED = (0.0, 0.9), 2, 3, (0.1, 0.5)
# Each of them has a near relative among the other animals: dog, cow, horse.
_ANIMALS_HELD_OUT = ("bear", "sheep", "zebra")
# Of the shares of `experiments.images.summary` the one that the table shows.
_SHOWN_SHARE = "0.25"
_Names = Annotated[tuple[str, ...] | None, _option(_list_of(str.strip), "NAME,NAME,...|none")]
_Alphas = Annotated[tuple[float, ...] | None, _option(_list_of(number), "X,X,...")]
_Default = tyro.conf.arg


@dataclasses.dataclass(frozen=True)
class Resnet:
    """Train residual networks on images of classes with a phylogeny, loss (1 - alpha) L_id + alpha L_sim.

    Accuracies are exact sums over the test images. Writes resnet.nc, resnet.json, figures, and checkpoints from which
    --resume goes on.

    Example: semres resnet --quick --alpha 0,0.9 --out results/images
    """

    data: Annotated[str, _Default(metavar="animals|FOLDER")] = "animals"
    """The images are animals (of the package), a folder with a folder for each class, or CUB-200-2011."""
    tree: Path | None = None
    """The classes of own images are leaves of the tree in this Newick file."""
    distances: Path | None = None
    """This table has the distances of classes instead, .csv or .npy."""
    leaves: Path | None = None
    """This table (CSV with class,leaf) says which leaf each class is; CUB needs one."""
    size: Annotated[Count, _Default(help_behavior_hint="(default: 64; CUB: 224)")] = None
    """Own images are cut to squares of so many pixels."""
    held_out: Annotated[_Names, _Default(help_behavior_hint="(default: animals bear,sheep,zebra; else none)")] = None
    """Only the test sees these classes."""
    alpha: Annotated[_Alphas, _Default(help_behavior_hint="(default: 0,0.25,0.5,0.75,0.9,1)")] = None
    """The loss of distances has these weights, from 0 to 1; changes are those from the first."""
    runs: Annotated[Count, _Default(help_behavior_hint="(default: 3)")] = None
    """Each alpha is trained so many times, from different starts and in different orders."""
    epochs: Annotated[Count, _Default(help_behavior_hint="(default: 12)")] = None
    """The training sees the images so many times."""
    network: Literal["small", "resnet18", "resnet34", "resnet50"] = "small"
    """The network has this architecture; small is for pictures of about 28 x 28."""
    weights: Path | None = None
    """Training starts from these weights of ImageNet, torchvision's names, .safetensors or .pth (not for small)."""
    per_class: Whole = 12
    """A batch has so many images of every class."""
    learning_rate: Annotated[float | None, _Default(help_behavior_hint="(default: 0.1; with --weights 0.01)")] = None
    """The learning rate of SGD rises to this."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Networks are computed in this type of numbers."""
    quick: bool = False
    """Two alphas, two runs and three epochs are the defaults, which take under three minutes on two cores."""
    seed: int = 0
    """All random numbers follow from this seed, the split into training and test images too."""
    resume: bool = False
    """Go on from the checkpoints in --out."""
    out: Path = Path("results/resnet")
    """Results go to this folder, which is made if it is missing."""
    force: Force = False
    json: bool = False
    """End with one line of JSON on standard output."""

    def run(self) -> int:
        """Load, train, score, print, write."""
        started = time.perf_counter()
        with checking_input():
            import jax

            from semres_jax import Execution, plots
            from semres_jax.experiments import images as image_study
            from semres_jax.training.images.loop import Diverged

            recipe, more = self.settings()
            with progress_bar() as progress:
                images = self.images(progress)
            held = _ANIMALS_HELD_OUT if self.held_out is None and self.data == "animals" else self.held_out or ()
            held = () if held == ("none",) else held
            title = "residual networks on images over the laws"
            report = Report(
                "resnet",
                self.out,
                "resnet",
                title=title,
                seed=self.seed,
                force=self.force,
                goes_on_from="checkpoints" * self.resume,
            )
        folder = report.folder
        if self.resume and not (folder / "checkpoints").is_dir():
            say(f"no checkpoints in {folder}; starting anew")
        # Input is checked before a network is trained.
        with checking_input(None, Diverged), progress_bar() as progress, warnings_as_lines():
            data = image_study.study(
                images,
                recipe,
                key=jax.random.key(self.seed),
                held_out=held,
                **more,
                checkpoints=folder / "checkpoints",
                resume=self.resume,
                execution=Execution(progress=progress),
            )
        summary = {"recipe": dataclasses.asdict(recipe), "held_out": list(held), "rows": image_study.summary(data)}
        content = report.write(data, summary, seconds=round(time.perf_counter() - started, 3))
        print_table(content["rows"])
        return report.end(plots.save_resnet(data, folder), as_json=self.json)

    def settings(self) -> tuple[Any, dict[str, Any]]:
        """The recipe of training, and what else `study` is to do.

        Raises:
            ValueError: an option out of range.
        """
        from semres_jax.training.images.loop import Recipe

        require_seed(self.seed)
        for name in ("runs", "epochs", "per_class", "size"):
            least = {"per_class": 2, "size": 8}.get(name, 1)
            value = getattr(self, name)
            if value is not None and value < least:
                raise ValueError(f"--{name.replace('_', '-')} must be at least {least}; got {value}")
        alphas = self.alpha
        if alphas is None:
            alphas = _QUICK_ALPHAS if self.quick else _ALPHAS
        if not alphas:
            raise ValueError("--alpha needs at least one number from 0 to 1")
        for alpha in alphas:
            if not 0 <= alpha <= 1:
                raise ValueError(f"--alpha must be from 0 to 1; got {alpha:g}")
        if len(set(alphas)) < len(alphas):
            raise ValueError(f"--alpha must be different numbers; got {','.join(f'{a:g}' for a in alphas)}")
        if self.weights is not None and self.network == "small":
            raise ValueError("--weights are for resnet18, resnet34 or resnet50; got --network small")
        if self.weights is not None and not self.weights.is_file():
            raise ValueError(f"no file of weights {str(self.weights)!r}")
        rate = self.learning_rate if self.learning_rate is not None else (0.01 if self.weights else 0.1)
        recipe = Recipe(
            network=self.network,
            epochs=self.epochs if self.epochs is not None else (_QUICK_EPOCHS if self.quick else _EPOCHS),
            per_class=self.per_class,
            learning_rate=rate,
            dtype=self.dtype,
            weights=str(self.weights or ""),
        )
        more: dict[str, Any] = {
            "alphas": alphas,
            "runs": self.runs if self.runs is not None else (_QUICK_RUNS if self.quick else _RUNS),
        }
        return recipe, more | ({"graded_shares": _QUICK_GRADED} if self.quick else {})

    def images(self, progress: Any) -> "ImageSet":
        """The images and the distances of their classes."""
        from semres_jax import data

        own = {f"--{name}": getattr(self, name) for name in ("tree", "distances", "leaves", "size")}
        if self.data == "animals":
            given = [name for name, value in own.items() if value is not None]
            if given:
                raise ValueError(f"{', '.join(given)} are for own images; animals have their own tree and size")
            return data.animal_images()
        folder = Path(self.data)
        if (folder / "image_class_labels.txt").is_file():
            if self.tree is None or self.leaves is None or self.distances is not None:
                raise ValueError(
                    f"{str(folder)!r} is laid out as CUB-200-2011: give --tree and --leaves, no --distances"
                )
            return data.cub(
                folder, self.tree, self.leaves, size=224 if self.size is None else self.size, progress=progress
            )
        return data.image_folder(
            folder,
            tree=self.tree,
            distances=self.distances,
            leaves=self.leaves,
            size=64 if self.size is None else self.size,
            progress=progress,
        )


def print_table(rows: list[dict[str, Any]]) -> None:
    """One row for each alpha on standard output: means over runs, with 95 % intervals."""
    from semres_jax import Quantity

    def bounded(row: dict[str, Any], name: str) -> str:
        low, high = row[f"{name}_interval"]
        return f"{Quantity(row[name], low=low, high=high):.3f}"

    held = ["held_best_p_s"] if "held_best_p_s" in rows[0] else []
    tested = [p for p in ("p_s", "p_i") if f"chi2_{p}" in rows[0]]
    heads = ["alpha", "accuracy", "best p_S", "at b", *(f"{p} at b={_SHOWN_SHARE}" for p in ("p_S", "p_I"))]
    cells = [
        (f"{row['alpha']:g}", f"{row['accuracy']:.3f}", bounded(row, "best_p_s"), f"{row['best_share']:.2f}",
         *(bounded(row["at"][_SHOWN_SHARE], p) for p in ("p_s", "p_i")), *(bounded(row, name) for name in held),
         *(f"{row[f'chi2_{p}']:.2f}" for p in tested),
         *(f"{row[name]:.3g}" for name in ("nc1", "nc2_angles", "nc3", "participation")))
        for row in rows
    ]  # fmt: skip
    geometry = ("NC1", "NC2 angles", "NC3", "dimension")
    print_cells([*heads, *("held out p_S" for _ in held), *(f"chi2 {p}" for p in tested), *geometry], cells)
    most = f"ties allow p_S up to {rows[0]['most_p_s']:.3f}"
    print(f"means over runs, 95 % intervals over runs and images; b: other classes' images within epsilon; {most}")
    print(
        "NC: neural collapse of the test images, 0 where complete; dimension: participation ratio of their covariance"
    )
