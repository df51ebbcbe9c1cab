"""Models of years that are no networks: a known similarity with known biases, behind the interface of a backend."""

import re
from collections.abc import Sequence

import numpy as np

from semres_jax.measure.language.backends import Backend

FACT = re.compile(r"(\w+) was born in (\d+)")
PROBE = re.compile(r".*(?:closest to|born in) (\d+)", re.DOTALL)


class Historian(Backend):
    """Log-probabilities -d / epsilon, plus a bias of each name and of each place.

    Attributes:
        asked: texts that were scored or gone on from, in order.
        stop_after: KeyboardInterrupt instead of so many calls.
    """

    name, depth = "historian", 1

    def __init__(self, epsilon: float, spread: float = 0.0, first: float = 0.0, seed: int = 0, sampled: bool = False):
        self.epsilon, self.spread, self.first, self.sampled = epsilon, spread, first, sampled
        self.rng = np.random.default_rng(seed)
        self.asked: list[str] = []
        self.calls, self.stop_after = 0, 10**9

    def tokens(self, text: str) -> list[int]:
        return [hash(x) for x in re.findall(r"<\|\w+\|>|\s?\w+|[^\w]", text)]

    def bias(self, name: str) -> float:
        return self.spread * float(np.sin(sum(map(ord, name))))

    def _scores(self, prompt: str) -> tuple[list[str], np.ndarray]:
        self.asked.append(prompt)
        facts = prompt.rpartition("\n")[2] if "Answer" not in prompt and "<|" not in prompt else prompt
        people = FACT.findall(facts)
        question = PROBE.match(facts)
        assert question is not None
        people = [(name, int(year)) for name, year in people if name != "Who" and name != "person"]
        names = [name for name, _ in people]
        away = np.array([abs(year - int(question[1])) for _, year in people])
        scores = -away / self.epsilon + [self.bias(name) for name in names]
        scores[0] += self.first
        return names, scores

    def _called(self) -> None:
        self.calls += 1
        if self.calls > self.stop_after:
            raise KeyboardInterrupt

    def score(self, prompts: Sequence[str], continuations: Sequence[Sequence[str]], progress=None) -> list[np.ndarray]:
        self._called()
        people = []
        for prompt, some in zip(prompts, continuations, strict=True):
            names, scores = self._scores(prompt)
            assert [x.strip() for x in some] == names
            p = np.exp(scores - scores.max()) / np.exp(scores - scores.max()).sum()
            if self.sampled:  # one of them is as good as certain
                p = np.where(np.arange(len(p)) == self.rng.choice(len(p), p=p), 1.0, 1e-200)
            people.append(np.log(p) - 3.0)
        return people

    def generate(self, prompts: Sequence[str], max_tokens: int = 16, progress=None) -> list[str]:
        self._called()
        written = []
        for prompt in prompts:
            names, scores = self._scores(prompt)
            best = names[int(scores.argmax())]
            written.append(f" It was {best}, not {names[int(scores.argmin())]}." if int(scores.argmax()) else "Nobody")
        return written

    def hidden(self, texts: Sequence[str], characters=None, progress=None) -> np.ndarray:
        """Two layers: random states, and bumps along the years of a width of 60."""
        self._called()
        years = np.array([int(text[-4:] if text[-4].isdigit() else text[-3:]) for text in texts])
        bumps = np.exp(-np.abs(years[:, None] - np.arange(600, 1800, 10)[None]) / 60)
        noise = np.stack([np.random.default_rng(int(year)).normal(size=bumps.shape[1]) for year in years])
        return np.stack([noise, bumps]).astype(np.float32)
