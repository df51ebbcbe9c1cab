"""The leaves of a phylogenetic tree: species, and how far apart they are on the tree of life."""

import importlib.resources
import os
from collections import Counter
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np

from semres_jax import _memory
from semres_jax._checks import require
from semres_jax._files import shown, text_of
from semres_jax.spaces._newick import Node, parsed
from semres_jax.spaces.base import space, static
from semres_jax.spaces.finite import Finite

# Path lengths are rounded to this many digits of the longest.
_DIGITS = 12
# The longest path may not be shorter, for rounding to work with float64.
_SHORTEST = 1e-280
# Tables of N x N that a space takes once it is used: its own, and JAX's copy.
_TABLES = 2
# Rows of the table that are mirrored at once.
_BLOCK = 256


@space
class Tree(Finite):
    """A finite space whose points are the leaves of a tree, at patristic distance: the length of the path between them.

    Made by `from_newick`. On an ultrametric tree (all leaves equally far from the root) about one triple in three
    is a tie: two leaves exactly as far from a third.

    Args:
        distances: (N, N) path lengths in the unit of the branch lengths.
        weights: as in `Finite`.
        labels: N names of the leaves, in the order of the table.

    Raises:
        ValueError: as `Finite`; labels not N different names.

    Example:
        >>> from semres_jax import spaces
        >>> cherry = spaces.Tree.from_newick("((cat:1,lion:1):2,dog:3);")
        >>> cherry.labels, float(cherry.distance(0, 2))
        (('cat', 'lion', 'dog'), 6.0)
    """

    labels: Any = static(default=())
    name: ClassVar[str] = "tree"

    def __post_init__(self):
        super().__post_init__()
        object.__setattr__(self, "labels", tuple(self.labels))
        shape = np.shape(self.distances)
        if self.labels and shape and len(self.labels) != shape[0]:
            raise ValueError(f"labels must name each of the {shape[0]} leaves; got {len(self.labels)}")
        if len(set(self.labels)) < len(self.labels):
            twice, count = Counter(self.labels).most_common(1)[0]
            raise ValueError(f"leaf names must differ; {shown(twice)!r} appears {count} times")

    @classmethod
    def from_newick(cls, newick: str | os.PathLike[str], weights: Any = None) -> "Tree":
        """The leaves of a tree in Newick or Nexus format, from a file (gzipped, too) or from the text itself.

        Path lengths are float64 sums, rounded to 12 digits of the longest so that paths of equal length are equal
        numbers: ties and d <= epsilon depend on it. Names stand bare or in single or double quotes, and are taken in
        Unicode's composed form (NFC); underscores are kept. Of `name:length:support` the first number is the length.
        A branch above the root has no effect. Of several trees the first is read, with a warning.

        Args:
            newick: path of a file, whatever its name; or text such as "((a:1,b:1):2,c:3);", where no file is called so.
            weights: (N,) probabilities of the leaves, in the order in which the text names them; None: equal.

        Raises:
            ValueError: a broken text, fewer than 2 leaves, leaves without a name or with the same one, branch lengths
                missing, negative or not finite, more leaves than memory has room for.
            FileNotFoundError: no such file.

        Example:
            >>> from semres_jax import spaces
            >>> spaces.Tree.from_newick("((Homo_sapiens:6,Pan:6):1,Gorilla:7);").label
            'tree(3)'
        """
        names, nodes = parsed(*(text_and_source := _read(newick)))
        return cls(_patristic(names, nodes, text_and_source[1]), weights, tuple(names))

    @classmethod
    def birds(cls) -> "Tree":
        """The 137 bird families of Sibley and Ahlquist (1990), which come with the package; see data/README.md."""
        resource = importlib.resources.files("semres_jax") / "data" / "bird_families.nwk"
        return cls.from_newick(resource.read_text(encoding="utf-8"))


def _read(newick: Any) -> tuple[str, str]:
    """The text, and what to call it in messages: of an existing file whatever its name, else what looks like Newick."""
    if not isinstance(newick, (str, os.PathLike)):
        raise ValueError(f"newick must be the path of a file or Newick text; got {type(newick).__name__}")
    if isinstance(newick, str) and not newick.strip():
        raise ValueError("newick is empty; give the path of a file or Newick text, such as (a:1,(b:1,c:1):1);")
    written = newick.strip() if isinstance(newick, str) and not os.path.exists(newick) else ""
    if written.startswith(("(", "[", "#", "<")) or written.endswith(";") or "\n" in written:
        plain = "\n" in written or written.endswith(";")
        return str(newick), "the Newick text" if plain else f"the Newick text {shown(written, 60)!r} (no such file)"
    if "(" in written:
        raise FileNotFoundError(f"no Newick file {shown(newick)!r}, and Newick text would start with its parenthesis")
    path = os.fspath(newick)
    try:
        return text_of(os.fsdecode(path), "Newick file"), shown(os.fsdecode(path))
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{error} (Newick text would have a parenthesis)") from None


def _patristic(names: list[str], nodes: list[Node], source: str) -> np.ndarray:
    """The table of path lengths, by one pass from the leaves to the root."""
    if len(names) < 2:
        raise ValueError(f"a tree needs at least 2 leaves; {source} has {len(names)}")
    if "" in names:
        raise ValueError(f"every leaf needs a name; leaf {names.index('') + 1} of {source} has none")
    _memory.require(_TABLES * 8 * len(names) ** 2, f"{len(names)} leaves")
    table = np.zeros((len(names), len(names)))
    depth = np.zeros(len(names))  # of each leaf under the node that holds it so far
    for node in nodes:
        for start, stop in pairwise([*node.starts[1:], node.stop]):
            few, rest = slice(node.starts[0], start), slice(start, stop)
            if stop - start < start - node.starts[0]:
                few, rest = rest, few  # long rows: short ones are slow
            with np.errstate(over="ignore"):  # told below
                np.add(depth[few, None], depth[rest], out=table[few, rest])
        if node is not nodes[-1]:
            depth[node.starts[0] : node.stop] += _branch(node, names[node.starts[0]], source)
    for start in range(0, len(names), _BLOCK):
        rows = slice(start, start + _BLOCK)
        both = table[rows, start:] + table[start:, rows].T
        table[rows, start:], table[start:, rows] = both, both.T
    longest = table.max()
    if not np.isfinite(longest) or 0 < longest < _SHORTEST:
        raise ValueError(f"path lengths of {source} reach {longest:g}; give branch lengths in another unit")
    return np.round(table, _DIGITS - int(np.ceil(np.log10(longest))) if longest > 0 else 0, out=table)


def _branch(node: Node, leaf: str, source: str) -> float:
    single = node.stop - node.starts[0] == 1
    where = f"branch above {shown(leaf)!r}" if single else f"branch above the group that starts with {shown(leaf)!r}"
    if node.length is None:
        raise ValueError(f"every branch needs a length; the {where} in {source} has none")
    require("branch lengths", node.length, 0.0, np.inf, f"finite and at least 0 (look at the {where} in {source})")
    return node.length
