"""The year task of language models: who was born when, whom to ask for, and how to say it, from a key.

Facts are sentences "NAME was born in YEAR."; a question names a year, the probe. In the similarity task right is who
was born closest to it, in the identification task who was born in it. The tasks are those of Nurisso et al., arXiv
2506.14797, made so that a preference for a name or for a place in the text is not taken for resolution: each pair of
years is shown in both orders and with both assignments of its two names, each larger set of facts forward and backward,
and names are dealt like cards.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from semres_jax import _random
from semres_jax._checks import require_count

CENTRES, REACH, YEARS = (1500, 1700), 300, (800, 1600)
# Years of a pair's sweep that are looked at together.
CELL = 100


class Trials(NamedTuple):
    """T prompts with up to N names each.

    Attributes:
        task: "pairs" (two items at c ± D), "items" (closest of n), or "identify" (one of n).
        names: all names that there are.
        name: (T, N) index into `names`, in the order of presentation; -1 where a prompt has fewer.
        year: (T, N) their years; -1 likewise.
        probe: (T,) the year asked for.
        right: (T,) place of the right answer.
        n: (T,) how many names.
        group: (T,) prompts of one group show the same years and probe, in other orders: they are not independent.
        half: (T,) D of pairs, half the distance between their years; 0 otherwise.
    """

    task: str
    names: tuple[str, ...]
    name: np.ndarray
    year: np.ndarray
    probe: np.ndarray
    right: np.ndarray
    n: np.ndarray
    group: np.ndarray
    half: np.ndarray

    @property
    def distance(self) -> np.ndarray:
        """(T, N) years between item and probe, NaN where there is no item."""
        return np.where(self.name >= 0, np.abs(self.year - self.probe[:, None]), np.nan).astype(np.float64)

    @property
    def offset(self) -> np.ndarray:
        """(T,) years from the middle of a pair to the probe."""
        return self.probe - np.where(self.name >= 0, self.year, 0).sum(1) / self.n

    @property
    def offset_cell(self) -> np.ndarray:
        """(T,) which of the cells of `CELL` years, 0 from the middle on, the offset is in."""
        return np.floor(self.offset / CELL).astype(int)

    @property
    def labels(self) -> np.ndarray:
        """(T, N) names, "" where there is none."""
        return np.where(self.name >= 0, np.array(self.names)[self.name], "")

    @property
    def places(self) -> np.ndarray:
        """(T, N) "first", "last" or "middle" of the facts."""
        at = np.arange(self.name.shape[1])[None]
        return np.where(at == 0, "first", np.where(at == self.n[:, None] - 1, "last", "middle"))


def pairs(
    halves: Sequence[int], trials: int, names: Sequence[str], *, key: Any = None, centres: tuple[int, int] = CENTRES,
    reach: int = REACH,
) -> Trials:  # fmt: skip
    """Two people born in c - D and c + D and a probe that sweeps over c ± reach: four prompts for each trial.

    c is uniform in `centres`; probes are spread evenly, one at random in each of `trials` equal parts of the sweep,
    never at c itself, where nobody is closest. A trial is shown in both orders, with both assignments of its two names.

    Args:
        halves: values of D, in years.
        trials: for each D.
        names: at least 2.
        key: JAX random key; `jax.random.key(0)` if not given.

    Example:
        >>> from semres_jax.measure.language import year_task
        >>> trials = year_task.pairs([20], 1, ["Ann", "Bob"])
        >>> trials.labels.tolist()
        [['Bob', 'Ann'], ['Ann', 'Bob'], ['Ann', 'Bob'], ['Bob', 'Ann']]
        >>> (trials.year - trials.year.min()).tolist()
        [[0, 40], [40, 0], [0, 40], [40, 0]]
    """
    trials, halves = require_count("trials", trials, 1), _several(halves, "D", 1, " year", "20,200")
    if max(halves) >= centres[0]:
        raise ValueError(f"D must be below {centres[0]} years, the earliest middle of a pair; got {max(halves)}")
    rng, name, year, probe = _random.generator(key, 0), [], [], []
    deal = _Dealer(names, rng)
    for half in halves:
        low = -reach + 2 * reach * np.arange(trials) / trials
        offset = np.floor(low + rng.random(trials) * 2 * reach / trials).astype(int)
        offset = np.where(offset == 0, rng.choice([-1, 1], trials), offset)
        centre = rng.integers(*centres, size=trials)
        for c, step in zip(centre.tolist(), offset.tolist(), strict=True):
            a, b = deal.some(2)
            name += [[a, b], [b, a], [b, a], [a, b]]
            year += [[c - half, c + half], [c + half, c - half]] * 2
            probe += [c + step] * 4
    return _trials("pairs", names, name, year, probe, 4)._replace(half=np.repeat(halves, trials * 4))


def items(
    counts: Sequence[int], sets: int, names: Sequence[str], *, identify: bool = False, key: Any = None,
    years: tuple[int, int] = YEARS,
) -> Trials:  # fmt: skip
    """n people born in different years, uniform in `years`, and a probe: each set forward and backward.

    The probe is independent and uniform, nobody else as close as the closest (similarity), or the year of one of them
    (identification), whose places are spread evenly. Both tasks have the same people for the same key.

    Args:
        counts: values of n, at least 2.
        sets: for each n.
        names: at least as many as the largest n.
        identify: who was born in the probe, and not who closest to it.
        key: JAX random key; `jax.random.key(0)` if not given.

    Example:
        >>> from semres_jax.measure.language import year_task
        >>> trials = year_task.items([2, 3], 1, ["Ann", "Bob", "Cy"], identify=True)
        >>> trials.n.tolist(), trials.group.tolist()
        ([2, 2, 3, 3], [0, 0, 1, 1])
        >>> (trials.distance[range(4), trials.right] == 0).all()
        np.True_
    """
    sets, counts = require_count("sets", sets, 1), _several(counts, "n", 2, " items", "2,8,32")
    most = min(len(names), (years[1] - years[0]) // 4)
    if max(counts) > most:
        raise ValueError(f"n must be at most {most}; got {max(counts)}")
    rng, name, year, probe = _random.generator(key, 1), [], [], []
    deal = _Dealer(names, rng)
    for n in counts:
        place = np.concatenate([rng.permutation(n) for _ in range(-(-sets // n))])[:sets]
        for k in range(sets):
            who = deal.some(n)
            when = rng.choice(np.arange(*years), n, replace=False).tolist()
            while True:
                target = int(rng.integers(*years))
                first, second, *_ = sorted(abs(then - target) for then in when)
                if first < second:
                    break
            name += [who, who[::-1]]
            year += [when, when[::-1]]
            probe += [when[place[k]] if identify else target] * 2
    return _trials("identify" if identify else "items", names, name, year, probe, 2)


def spread_years(count: int, *, key: Any = None, years: tuple[int, int] = YEARS) -> np.ndarray:
    """(count,) different years, ascending: one at random in each of `count` equal parts.

    Example:
        >>> from semres_jax.measure.language import year_task
        >>> year_task.spread_years(4).tolist()
        [995, 1016, 1257, 1480]
    """
    if not 3 <= count <= years[1] - years[0]:
        raise ValueError(f"between 3 and {years[1] - years[0]} years are needed; got {count}")
    rng = _random.generator(key, 2)
    edges = np.linspace(*years, count + 1).astype(int)
    return rng.integers(edges[:-1], edges[1:])


class _Dealer:
    """Names like cards: every name is dealt once before any is dealt again."""

    def __init__(self, names: Sequence[str], rng: np.random.Generator):
        if len(names) < 2 or len(set(names)) < len(names):
            raise ValueError(f"names must be different, at least 2; got {list(names)}")
        self._count, self._rng, self._left = len(names), rng, []

    def some(self, n: int) -> list[int]:
        hand, self._left = self._left[:n], self._left[n:]
        if len(hand) < n:
            fresh = self._rng.permutation(self._count).tolist()
            more = [i for i in fresh if i not in hand][: n - len(hand)]
            self._left = [i for i in fresh if i not in more]
            hand = hand + more
        return hand


def _several(values: Sequence[int], name: str, least: int, unit: str, such: str) -> list[int]:
    values = [require_count(name, value, least, unit) for value in values]
    if not values or len(set(values)) < len(values):
        raise ValueError(f"{name} must be different numbers, such as {such}; got {values}")
    return values


def _trials(task: str, names: Sequence[str], name: list, year: list, probe: list, group: int) -> Trials:
    """Rows as tables; `group` prompts in sequence show the same."""
    wide = max(map(len, name))
    padded, years = (np.array([row + [-1] * (wide - len(row)) for row in rows]) for rows in (name, year))
    none, sizes = np.zeros(len(probe), int), np.array([len(row) for row in name])
    groups = np.arange(len(probe)) // group
    trials = Trials(task, tuple(names), padded, years, np.array(probe), none, sizes, groups, none)
    return trials._replace(right=np.nanargmin(trials.distance, axis=1))
