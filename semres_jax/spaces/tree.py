"""The leaves of a phylogenetic tree: species, and how far apart they are on the tree of life."""

import importlib.resources
import os
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from semres_jax._checks import require
from semres_jax.spaces.base import space, static
from semres_jax.spaces.finite import Finite

# Path lengths are rounded to this many digits of the longest.
_DIGITS = 12


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
            twice = next(label for k, label in enumerate(self.labels) if label in self.labels[:k])
            raise ValueError(f"leaf names must differ; {twice!r} appears {self.labels.count(twice)} times")

    @classmethod
    def from_newick(cls, newick: str | os.PathLike[str], weights: Any = None) -> "Tree":
        """The leaves of a tree in Newick format, from a file or from the text itself (which has a parenthesis).

        Path lengths are float64 sums, rounded to 12 digits of the longest so that paths of equal length are equal
        numbers: ties and d <= epsilon depend on it. Underscores in names are kept. A branch above the root has no
        effect. Of several trees the first is read.

        Args:
            newick: path of a file, or Newick text such as "((a:1,b:1):2,c:3);".
            weights: (N,) probabilities of the leaves, in the order in which the text names them; None: equal.

        Raises:
            ValueError: broken Newick, fewer than 2 leaves, leaves without a name or with the same one, branch lengths
                missing, negative or not finite.
            FileNotFoundError: no such file.

        Example:
            >>> from semres_jax import spaces
            >>> spaces.Tree.from_newick("((Homo_sapiens:6,Pan:6):1,Gorilla:7);").label
            'tree(3)'
        """
        text, source = _read(newick)
        labels, table = _patristic(_parsed(text, source), source)
        return cls(table, weights, labels)

    @classmethod
    def birds(cls) -> "Tree":
        """The 137 bird families of Sibley and Ahlquist (1990), which come with the package; see data/README.md."""
        resource = importlib.resources.files("semres_jax") / "data" / "bird_families.nwk"
        return cls.from_newick(resource.read_text(encoding="utf-8"))


def _read(newick: str | os.PathLike[str]) -> tuple[str, str]:
    """The text, and what to call it in messages."""
    if isinstance(newick, str) and ("(" in newick or newick.rstrip().endswith(";")):
        return newick, "the Newick text"
    path = Path(newick)
    if not path.is_file():
        raise FileNotFoundError(f"no Newick file {str(path)!r} (Newick text would have a parenthesis)")
    return path.read_text(encoding="utf-8-sig"), str(path)


def _parsed(text: str, source: str) -> Any:
    """dendropy's root node."""
    import dendropy  # 0.3 s, and only trees need it

    try:
        # Names are compared as written, and duplicates are ours to report: no namespace of taxa.
        tree = dendropy.Tree.get(
            data=text, schema="newick", preserve_underscores=True, suppress_leaf_node_taxa=True, rooting="force-rooted"
        )
    except Exception as error:  # dendropy's readers raise a dozen kinds, some of them bare ValueErrors
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"cannot read {source} as Newick: {reason[:200]}") from None
    return tree.seed_node


def _patristic(root: Any, source: str) -> tuple[tuple[str, ...], np.ndarray]:
    """Leaf names in order and the table of path lengths, by one pass from the leaves to the root."""
    labels = tuple((leaf.label or "").strip() for leaf in root.leaf_iter())
    if len(labels) < 2:
        raise ValueError(f"a tree needs at least 2 leaves; {source} has {len(labels)}")
    if "" in labels:
        raise ValueError(f"every leaf needs a name; leaf {labels.index('') + 1} of {source} has none")
    table = np.zeros((len(labels), len(labels)))
    below: dict[Any, tuple[int, int, np.ndarray]] = {}  # first leaf, last leaf + 1, their depths under the node
    count = 0
    for node in root.postorder_iter():
        children = [below.pop(child) for child in node.child_node_iter()]
        if not children:
            children = [(count, count + 1, np.zeros(1))]
            count += 1
        first, last = children[0][0], children[-1][1]
        depth = np.concatenate([child[2] for child in children])
        for start, stop, own in children[1:]:
            earlier = slice(first, start)
            table[earlier, start:stop] = depth[: start - first, None] + own
        below[node] = (first, last, depth if node is root else depth + _branch(node, labels[first], source))
    table += table.T
    decimals = _DIGITS - int(np.ceil(np.log10(table.max()))) if table.max() > 0 else 0
    return labels, np.round(table, decimals)


def _branch(node: Any, leaf: str, source: str) -> float:
    where = f"branch above {leaf!r}" if node.is_leaf() else f"branch above the group that starts with {leaf!r}"
    if node.edge.length is None:
        raise ValueError(f"every branch needs a length; the {where} in {source} has none")
    length = float(node.edge.length)
    require("branch lengths", length, 0.0, np.inf, f"finite and at least 0 (look at the {where} in {source})")
    return length
