"""The figures of the paper by name: what each shows, what differs here and why, how it is made."""

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from semres_jax._files import there_are
from semres_jax.experiments.paper import numbers, systems, theory
from semres_jax.experiments.paper.numbers import Number
from semres_jax.experiments.paper.setting import Setting

if TYPE_CHECKING:
    import xarray


@dataclasses.dataclass(frozen=True)
class Figure:
    """A figure that can be made here.

    Attributes:
        title: in a line.
        shows: what the paper shows.
        differs: what differs here, and why.
        command: that makes more of the same, or of one's own.
        make: its data.
        numbers: single numbers of these.
        lacks: why it can't be made on this machine; nothing where it can.
    """

    title: str
    shows: str
    differs: str
    command: str
    make: "Callable[[Setting], xarray.Dataset]"
    numbers: "Callable[[xarray.Dataset], list[Number]]"
    lacks: Callable[[], str] = str


class Unmade(NamedTuple):
    """Something the paper shows that can't be made here: why, and what stands for it."""

    what: str
    reason: str
    instead: str


_TOY = (
    "All scores are exact sums over the 50 stimuli, where the paper samples 1,920 trials; equal answers share the "
    "credit, where the paper takes the first; the circle's first point isn't there twice. Fronts are those of the "
    "same 50 stimuli, black, beside those of the continuum, grey: the paper has the latter only."
)
_YEARS = (
    "The model is SmolLM2-135M, which fits on two cores, not gemma-2-2b-it, Llama-3.2-3B or Qwen2.5-7B. Answers "
    "are the log-probabilities of the names, where the paper searches generated text for names; each set of years "
    "is shown in several orders and with several names, so that a liking for a name or a place is not taken for "
    "resolution. "
)

FIGURES: dict[str, Figure] = {
    "2": Figure(
        "Two items: one front for all homogeneous spaces, and what floors and heterogeneity cost",
        "Theorems 1 and 2 in the plane of accuracies: (a) the front p_S = 1/2 + b - b², p_I = 1 - b/2 that all "
        "homogeneous spaces share, with noise floors below it; (b) heterogeneous spaces, which lie lower by "
        "Var(b).",
        "Marks are simulations of the two tests in seven spaces, with standard errors, so that the laws are tested, "
        "not only drawn. The curves of heterogeneous spaces are exact: closed forms or quadratures.",
        "semres validate",
        theory.two_items,
        numbers.two_items,
    ),
    "3": Figure(
        "n items: generalization has a best resolution, identification falls like 1/n",
        "Theorem 3: p_S and p_I of n items against the ball measure b and against n. For large n, p_I is about "
        "1/(b n), and p_S is not monotone, in b or, for small b, in n.",
        "Marks are simulations on the circle, with standard errors. Rings mark the best b of each n, by an identity "
        "that isn't in the paper: p_S is largest exactly where p_S = p_I.",
        "semres sweep --space circle --similarity constant --n 2,3,4,8,16,32",
        theory.many_items,
        numbers.many_items,
    ),
    "4a": Figure(
        "Toy ReLU network on the circle: the similarity it learns",
        "Similarities that the network has learned at epochs 0, 17, 35, 160 and 499: they become narrow, and end "
        "at a resolution that ReLU cuts.",
        _TOY + " Profiles are means over all pairs and runs, and a similarity is fitted to them: the paper shows them "
        "without a fit.",
        "semres toy --preset fig4",
        systems.toy_networks,
        numbers.toy_profiles,
    ),
    "4b": Figure(
        "Toy ReLU network: training in the plane of accuracies",
        "Paths of ten runs and their mean through the plane, on the circle, on the segment and with "
        "reconstruction alone, over the linear, constant and noisy (Δ = 0.028) fronts.",
        _TOY + " The paper prints no number of this figure; for 48 stimuli and 32 dimensions its code prints a p_S of "
        "0.503 at first, 0.806 at most, at epoch 22, and 0.719 after 300 epochs, while p_I goes from 0.571 to 0.913.",
        "semres toy --preset fig4",
        systems.toy_networks,
        numbers.toy_paths,
    ),
    "5a": Figure(
        "Residual networks: what the weight of the loss of distances does to both accuracies",
        "Percent change of p_S and p_I against α = 0 as α grows, by resolution ε, of ResNet-50 on 71 species of birds.",
        "Silhouettes of animals that ship, with a tree of the animals, and a small residual network, because the "
        "birds' pictures can't be shipped and ResNet-50 takes a GPU. Networks are compared at equal mean ball "
        "measure, where the paper has equal ε although its loss leaves the unit of distances free; p_I is that of "
        "another picture of the class, where the paper counts 1 - b/2; scores are exact sums with 95 % intervals; "
        "no test picture is trained on.",
        "semres resnet",
        systems.resnet,
        numbers.resnet,
    ),
    "5b": Figure(
        "A language model and years: who of two was born closest to a year?",
        "Share of answers that name one of two people, born D years before and after a middle, against the year "
        "asked for, for D of 2 to 200; resolution 'about 70-80 years', with the curve of g = 1/(0.006 d).",
        _YEARS + "The curve is a fit by likelihood with biases. Answers of this small model are close to chance: the "
        "figure shows the measurement, and is no test of the paper's claim.",
        "semres measure llm --model smollm2",
        systems.year_pairs,
        numbers.year_pairs,
        systems.no_language_model,
    ),
    "5c": Figure(
        "A model that sees: which shape is closest to the X?",
        "Right and wrong answers of Qwen2.5-VL-7B by the place of the X on a canvas with a shape in each corner, "
        "and how accuracy falls with distance.",
        "The answers are the authors' own 400 (they ship with this package). New is the model of the answers: a "
        "similarity with a bias for each shape fits far better than one without, because most answers are "
        "'triangle'. A resolution read off accuracies alone takes that bias for resolution.",
        "semres measure choices vlm",
        systems.shapes,
        numbers.shapes,
    ),
    "10": Figure(
        "A language model and years: who of n was born closest to a year, or in it?",
        "Accuracies of both tasks against the number n of people, 2 to 98.",
        _YEARS
        + "n goes to 32 (quickly to 16). The dashed line is chance, 1/n, which the paper's claim of a 1/n collapse "
        "has to be told from.",
        "semres measure llm --model smollm2 --task items,identify",
        systems.year_items,
        numbers.year_items,
        systems.no_language_model,
    ),
    "14": Figure(
        "Identification of one of n colours, and the n-item law fitted to it",
        "Accuracies of Qwen2.5-VL-7B and gemma-3-12b-it for 4 to 12 hues, fitted by p_I(n) = (1 - (1 - a)^n) / (a n).",
        "Answers are those of two simulated observers with known ball measures a, 1,000 pictures for each n, "
        "because the models' answers don't ship: the figure shows that the fit finds a, with which interval, and "
        "says nothing of the models. `semres measure choices FILE` with columns n, right, trials makes it from "
        "real counts.",
        "semres measure choices FILE",
        theory.colours,
        numbers.colours,
    ),
}

UNMADE = (
    Unmade("Figure 5a on birds", "pictures of CUB-200-2011 can't be shipped; ResNet-50 takes a GPU",
           "figure 5a on animals; `semres resnet --data FOLDER --tree FILE --leaves FILE` with one's own copy"),
    Unmade("Figures 5b and 10 of gemma-2-2b-it, Llama-3.2-3B, Qwen2.5-7B", "weights of 5 to 15 GB",
           "SmolLM2-135M; `semres measure llm --endpoint URL` asks a server that has them"),
    Unmade("Figure 5c of gemma-3-12b-it", "its answers don't ship, and neither do its weights",
           "figure 5c of Qwen2.5-VL-7B; `semres measure choices FILE` with a table of answers"),
    Unmade("Figure 14 of Qwen2.5-VL-7B and gemma-3-12b-it", "their answers don't ship, and neither do their weights",
           "figure 14 of simulated observers"),
    Unmade("Figures 1, 6 to 9, 11 to 13 and 15", "this command was not made for them",
           "`semres toy --preset items` and `--preset slots` for more items and for compositional codes"),
)  # fmt: skip


def chosen(names: "tuple[str, ...] | list[str]") -> list[str]:
    """Names of figures in the paper's order; "all" is all.

    Raises:
        ValueError: no name, or one that there is no figure of.

    Example:
        >>> from semres_jax.experiments import paper
        >>> paper.chosen(["3", "2"])
        ['2', '3']
    """
    if not names:
        raise ValueError(f"figure must name at least one of {', '.join(FIGURES)}, or all")
    for name in names:
        if name not in FIGURES and name != "all":
            raise ValueError(f"no figure {name!r}; {there_are(name, [*FIGURES, 'all'])}")
    return [name for name in FIGURES if name in names or "all" in names]
