"""Newick and Nexus: the first tree of a text as its leaves and the branches above its nodes, without recursion.

Nested however deep; names bare, in single or double quotes; comments in brackets anywhere; of `name:length:support` the
first number is the length (rich Newick); the semicolon at the end may be missing.
"""

import re
import warnings
from collections.abc import Iterator
from itertools import chain
from typing import Any, NamedTuple

from semres_jax._files import composed, shown

_TOKEN = re.compile(r"""'[^']*(?:''[^']*)*'|"[^"]*(?:""[^"]*)*"|[(),:;]|[^\s()\[\],:;'"][^\s()\[\],:;]*""")
_BLANK = re.compile(r"\s*")
_NUMBER = re.compile(r"[+-]?((\d+\.?\d*|\.\d+)(e[+-]?\d+)?|nan|inf(inity)?)", flags=re.ASCII | re.IGNORECASE)
# Nodes with several parents, as extended Newick names them.
_HYBRID = re.compile(r".*#(H|LGT|R)?\d+", flags=re.IGNORECASE | re.DOTALL)
# What a branch may bear: length, support, probability.
_MOST_FIELDS = 3
# What files of trees may be instead, by how they begin.
_OTHERS = (
    (r"<\?xml|<(\w+:)?(nexml|phyloxml)", "XML"),
    (r"<", "a web page or another kind of markup"),
    (r"\{", "JSON"),
    (r">", "FASTA"),
)


class Node(NamedTuple):
    """A node of a tree: its leaves stand side by side in the order of the text.

    Attributes:
        starts: the first leaf of each child, or of the leaf itself.
        stop: the last leaf, plus 1.
        length: of the branch above, None where none is written.
    """

    starts: list[int]
    stop: int
    length: float | None


class Token(NamedTuple):
    """A mark, one of "(),:;", or a word (with `mark` empty), and where it stands in the text."""

    mark: str
    word: str
    place: int


def parsed(text: str, source: str) -> tuple[list[str], list[Node]]:
    """Names of the leaves ("" where none is written) and all nodes, children before parents, of the first tree.

    Args:
        source: what to call the text in messages.

    Raises:
        ValueError: one line with what is wrong and where.
    """
    start = text.lstrip("\ufeff \t\r\n")
    if not start:
        raise ValueError(f"{source} is empty; it should hold a tree in Newick format, such as (a:1,(b:1,c:1):1);")
    for beginning, kind in _OTHERS:
        if re.match(beginning, start, flags=re.IGNORECASE):
            named = re.search("nexml|phyloxml", start[:2000], flags=re.IGNORECASE)
            kind = {"nexml": "NeXML", "phyloxml": "PhyloXML"}[named[0].lower()] if named else kind
            raise ValueError(f"{source} is {kind}; a tree is needed in Newick or Nexus format: save it as one of these")
    reader = _Reader(start, source)
    names, nodes = reader.nexus() if start[:6].upper() == "#NEXUS" else reader.tree()
    return [composed(name.strip()) for name in names], nodes


class _Reader:
    def __init__(self, text: str, source: str):
        self.text, self.source, self.format = text, source, "Newick"
        self.tokens = self._tokens(0)

    def fail(self, reason: str, place: int) -> Any:
        line = self.text.count("\n", 0, place) + 1
        where = f"at {shown(self.text[place : place + 24])!r}, line {line}" if place < len(self.text) else "at the end"
        raise ValueError(f"cannot read {self.source} as {self.format}: {reason} ({where})")

    def _tokens(self, place: int) -> Iterator[Token]:
        text = self.text
        while (place := _BLANK.match(text, place).end()) < len(text):  # pyright: ignore[reportOptionalMemberAccess]
            if text[place] == "[":
                place = self._after_comment(place)
                continue
            match = _TOKEN.match(text, place)
            if match is None:
                what = "a bracket that nothing opened" if text[place] == "]" else "a quote that nothing closes"
                return self.fail(what, place)
            word, quote = match[0], match[0][0]
            if quote in "'\"":
                yield Token("", word[1:-1].replace(2 * quote, quote), place)
            else:
                yield Token(word, "", place) if word in "(),:;" else Token("", word, place)
            place = match.end()

    def _after_comment(self, place: int) -> int:
        """Comments may hold comments, as [&&NHX:S=[x]]."""
        depth = 0
        for bracket in re.compile(r"[\[\]]").finditer(self.text, place):
            depth += 1 if bracket[0] == "[" else -1
            if depth == 0:
                return bracket.end()
        return self.fail("a comment that no bracket closes", place)

    def tree(self, first: Token | None = None) -> tuple[list[str], list[Node]]:
        """The tree that begins at the next token, or at `first`."""
        names: list[str] = []
        nodes: list[Node] = []
        groups: list[list[int]] = []  # first leaf of each child so far, of the groups that are open
        children: list[int] | None = None  # of the node being read, once its group is closed
        name: str | None = None
        fields: list[str] = []
        end = Token(";", "", len(self.text))
        token = end
        for token in chain([] if first is None else [first], self.tokens, [end]):
            if token.mark == "(":
                if children is not None or name is not None or fields:
                    self.fail("a group that no comma parts from what stands before it", token.place)
                groups.append([len(names)])
            elif token.mark == ":":
                fields.append("")
            elif not token.mark:
                if fields:
                    fields[-1] = token.word if not fields[-1] else self.fail("two numbers side by side", token.place)
                elif name is not None:
                    self.fail(f"a name beside {shown(name)!r} (names with blanks go in quotes)", token.place)
                else:
                    name = token.word
            else:
                if children is None:
                    children = [len(names)]
                    names.append(name or "")
                elif _HYBRID.fullmatch(name or ""):
                    self.fail(f"{shown(name)!r} has several parents, so this is a network and no tree", token.place)
                nodes.append(Node(children, len(names), self._length(fields, names[children[0]], token.place)))
                children, name, fields = None, None, []
                if token.mark == ";":
                    break
                if not groups:
                    self.fail("a parenthesis or comma outside of all groups", token.place)
                if token.mark == ",":
                    groups[-1].append(len(names))
                else:
                    children = groups.pop()
        if groups:
            self.fail(f"{len(groups)} parentheses that nothing closes", token.place)
        self._tell_of_more()
        return names, nodes

    def _length(self, fields: list[str], leaf: str, place: int) -> float | None:
        if len(fields) > _MOST_FIELDS:
            self.fail(f"{len(fields)} numbers of one branch, after {shown(leaf)!r}", place)
        for field in fields:
            if field and not _NUMBER.fullmatch(field):
                self.fail(f"{shown(field)!r} where the length of a branch belongs, after {shown(leaf)!r}", place)
        return float(fields[0]) if fields and fields[0] else None

    def _tell_of_more(self) -> None:
        if next((token for token in self.tokens if token.mark != ";"), Token("", "end", 0)).word.lower() != "end":
            message = f"{self.source} goes on after its first tree; the first is read, the rest is not"
            warnings.warn(message, stacklevel=2)

    def nexus(self) -> tuple[list[str], list[Node]]:
        """The first tree of the first block TREES that has one, its leaves as the tables of names have them."""
        self.format = "Nexus"
        block = re.search(r"\bbegin\s+trees\s*;", self.text, flags=re.IGNORECASE)
        if block is None:
            return self.fail("it has no block of trees", len(self.text))
        translated: dict[str, str] = {}
        self.tokens = self._tokens(block.end())
        for token in self.tokens:
            command = token.word.lower()
            if command == "translate":
                entries = self._entries()
                translated |= {entry[0]: " ".join(entry[1:]) for entry in entries if entry}
            elif command in ("tree", "utree"):
                opening = next((token for token in self.tokens if token.mark), token)
                if opening.mark != "(":
                    return self.fail("a tree without parentheses", opening.place)
                names, nodes = self.tree(opening)
                table = translated or self._numbers_of_taxa(names, block.start())
                return [table.get(name, name) for name in names], nodes
            else:
                while token.mark != ";":
                    token = next(self.tokens, Token(";", "", 0))
        return self.fail("its block of trees holds none", len(self.text))

    def _entries(self) -> list[list[str]]:
        """Words up to the semicolon, in groups that commas part."""
        entries: list[list[str]] = [[]]
        for token in self.tokens:
            if token.mark == ";":
                break
            if token.mark == ",":
                entries.append([])
            else:
                entries[-1].append(token.word or token.mark)
        return entries

    def _numbers_of_taxa(self, names: list[str], stop: int) -> dict[str, str]:
        """Names of the block TAXA by number, where leaves are bare numbers that no table translates."""
        taxa = re.search(r"\btaxlabels\b", self.text[:stop], flags=re.IGNORECASE)
        if taxa is None:
            return {}
        self.tokens = self._tokens(taxa.end())
        labels = self._entries()[0]
        return {} if set(names) <= set(labels) else {str(k): label for k, label in enumerate(labels, 1)}
