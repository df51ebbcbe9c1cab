"""Trees as people have them: Newick and Nexus of many programs, from files of any name and kind; and broken ones."""

import gzip
import os
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest

from semres_jax import _memory, spaces

OWLS = ("Tyto", "Strix", "Bubo")
NEWICK = "((Tyto:1,Strix:1):1,Bubo:2);"
TABLE = [[0, 2, 4], [2, 0, 4], [4, 4, 0]]


def read(newick):
    tree = spaces.Tree.from_newick(newick)
    return tree.labels, np.asarray(tree.distances).tolist()


def refused(newick, match, error: type[Exception] = ValueError):
    with pytest.raises(error, match=match) as caught:
        spaces.Tree.from_newick(newick)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "((Tyto:1,Strix:1):1,Bubo:2)",
        "((Tyto:1:90,Strix:1:80)anc:1:70,Bubo:2:60)root:9:1;",
        "((Tyto:1:90:0.1,Strix:1::0.9):1,Bubo:2);",
        '(("Tyto":1,"Strix":1):1,"Bubo":2);',
        "(('Tyto':1,Strix:1)'a ''b'',(':1,Bubo:2);",
        "[&R] ((Tyto[a:3,(]:1[100],Strix:1[&&NHX:S=x:B=[9]])88:1,Bubo[&rate={1,2}]:2);",
        " (\n( Tyto : 1 ,\tStrix:10e-1 )\n:+1.0,Bubo:.2E1 ) ;\n\n",
        "(((Tyto:0.5):0.5,(Strix:1)):1,Bubo:2);".replace("(Strix:1)", "(Strix:1):0"),
    ],
    ids=["no semicolon", "support", "probability", "double quotes", "single quotes", "comments", "blanks", "one child"],
)
def test_dialects_of_newick(text, tmp_path):
    assert read(text) == (OWLS, TABLE)
    path = tmp_path / "owls"
    path.write_text(text)
    assert read(path) == (OWLS, TABLE)


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("""("Otus  scops":1,'O''Brien "s"':1);""", ("Otus  scops", 'O\'Brien "s"')),
        ("(000:1,01:1);", ("000", "01")),
        ("(L'Hoest_s:1,a|b/c{2}=x#:1);", ("L'Hoest_s", "a|b/c{2}=x#")),
        ("(Ku\u0308ken:1,e\u0301:1);", ("K\u00fcken", "\u00e9")),
    ],
)
def test_names_of_leaves(text, labels):
    assert spaces.Tree.from_newick(text).labels == labels


TRANSLATED = """#NEXUS
[!made by hand; begin trees; no]
begin data; matrix a 01?'(( ; end;
Begin Trees;
  Title Owls; ID 07; LINK Taxa = Untitled;
  Translate [0] 1 Tyto, [1] 2 'Strix',
    c Bubo
  ;
  tree * 'best one' [&lnP=-3.2] = [&R] ((1[&rate=0.1]:1,2:1)[&p={1,2}]:1,c:2);
End;
begin figtree; set a="b;c"; end;
"""


@pytest.mark.parametrize(
    "text",
    [
        TRANSLATED.replace("begin trees; no", "by nobody"),
        TRANSLATED.replace("begin trees; no", "").replace("\n", "\r\n"),
        "#nexus begin taxa; taxlabels Tyto Strix [x] 'Bubo'; end; begin TREES ; utree a=((1:1,2:1):1,3:2);end;",
        f"#NEXUS\nbegin trees; end; begin trees;\ntree owls = [&U] {NEWICK}\nend;",
    ],
    ids=["BEAST", "Mesquite", "numbers", "plain"],
)
@pytest.mark.parametrize("name", ["owls.nex", "owls.tre", "owls"])
def test_nexus_whatever_its_ending(text, name, tmp_path):
    assert read(text) == (OWLS, TABLE)
    (tmp_path / name).write_bytes(text.encode())
    assert read(tmp_path / name) == (OWLS, TABLE)


def test_of_several_trees_the_first_is_read_and_it_is_said(tmp_path):
    with pytest.warns(UserWarning, match="the Newick text goes on after its first tree; the first is read"):
        assert read(NEWICK + "\n(Tyto:3,Asio:3);") == (OWLS, TABLE)
    path = tmp_path / "posterior.nex"
    path.write_text(f"#NEXUS\nbegin trees; tree a = {NEWICK} tree b = {NEWICK} end;")
    with pytest.warns(UserWarning, match="posterior.nex goes on after"):
        assert read(path) == (OWLS, TABLE)


@pytest.mark.parametrize("name", ["owls (2).nwk", "(copy) owls.nwk", "owls;", "owls [1]/(a:1).nwk", "ou\u0301.nwk"])
@pytest.mark.parametrize("kind", [str, Path])
def test_an_existing_file_is_a_file_whatever_its_name(name, kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path(name).parent.mkdir(exist_ok=True)
    Path(name).write_text(NEWICK)
    assert read(kind(name)) == read(kind(tmp_path / name)) == (OWLS, TABLE)


@pytest.mark.parametrize(
    "content",
    [
        gzip.compress(NEWICK.encode()),
        NEWICK.encode("utf-8-sig"),
        NEWICK.encode("utf-16"),
        NEWICK.replace(",", ",\r").encode(),
    ],
    ids=["gzip", "bom", "utf16", "cr"],
)
def test_files_however_they_were_saved(content, tmp_path):
    (tmp_path / "owls.nwk").write_bytes(content)
    assert read(tmp_path / "owls.nwk") == (OWLS, TABLE)


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ("((K\u00e4uzchen:1,b:1):1,c:2);".encode("latin-1"), "owls.nwk' is no text in UTF-8"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 9\n", "owls.nwk' is a Git LFS pointer"),
        (b"(a:1,b\0:1);", "owls.nwk' holds null bytes"),
        (b" \n", "owls.nwk is empty"),
        (b"<nex:nexml version='0.9'>", "owls.nwk is NeXML; a tree is needed in Newick or Nexus"),
        (b'<?xml version="1.0"?>\n<phyloxml xmlns="http://www.phyloxml.org">', "owls.nwk is PhyloXML; a tree"),
        (b"<!DOCTYPE html><html>", "owls.nwk is a web page"),
        (b'{"tree": "(a:1,b:1);"}', "owls.nwk is JSON"),
        (b">seq1\nACGT\n", "owls.nwk is FASTA"),
        (b"#NEXUS\nbegin data; end;", "owls.nwk as Nexus: it has no block of trees"),
        (b"#NEXUS\nbegin trees; translate 1 a", "its block of trees holds none"),
        (b"#NEXUS\nbegin trees; tree a = ; end;", "a tree without parentheses"),
    ],
)
def test_files_that_are_no_trees(content, match, tmp_path):
    (tmp_path / "owls.nwk").write_bytes(content)
    refused(tmp_path / "owls.nwk", match)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("((a:1,b:1):1,c:2));", "outside of all groups"),
        ("((a:1,b:1):1,c:2;", "1 parentheses that nothing closes"),
        ("(a:1,'b:1);", r"a quote that nothing closes \(at \"'b:1"),
        ("(a:1,[b:1);", "a comment that no bracket closes"),
        ("(a:1,b]:1);", "a bracket that nothing opened"),
        ("(Otus scops:1,b:1);", "a name beside 'Otus' .names with blanks go in quotes"),
        ("(a:1 2,b:1);", "two numbers side by side"),
        ("(a:1_0,b:1);", "'1_0' where the length"),
        ("(a:\uff11,b:1);", "where the length"),
        ("(a:1:2:3:4,b:1);", "4 numbers of one branch"),
        ("(a(b:1,c:1):1,d:1);", "a group that no comma parts"),
        ("(a:nan,b:1);", "branch above 'a'.*got nan"),
        ("(a:1,b:-inf);", "branch above 'b'.*got -inf"),
        ("(a::9,b:1);", "branch above 'a' .* has none"),
        ("(a:0,5,b:1);", "branch above '5' .* has none"),
        ("(e\u0301:1,\u00e9:1);", "appears 2 times"),
        ("(a:1e308,b:1e308);", "reach inf"),
        ("(a:1e-300,b:1e-300);", "reach 2e-300"),
        ("((a:1,(b:1)#H1:1::0.7):1,(#H1:1::0.3,c:1):1);", "'#H1' has several parents"),
        ("a:1;", "at least 2 leaves"),
        ("();", "at least 2 leaves"),
        ("  ", "newick is empty"),
        ("(a:1,\x1b[31m\x07b:1);", "comment that no bracket closes"),
    ],
)
def test_broken_text(text, match):
    refused(text, match)


def test_missing_files_with_parentheses_name_both_readings(tmp_path):
    refused(str(tmp_path / "owls (1).nwk"), "no Newick file .*Newick text would start with its", FileNotFoundError)
    refused("(copy) owls.nwk", r"Newick text '\(copy\) owls.nwk' \(no such file\)")
    refused("owls\0(1).nwk", "no Newick file", FileNotFoundError)
    refused(Path("owls\0.nwk"), "no Newick file", FileNotFoundError)
    refused(tmp_path, "is a folder")


def test_control_characters_are_escaped_in_messages(tmp_path):
    path = tmp_path / "ow\x1b[2Jls.nwk"
    path.write_text("('\x1b]0;T\x07':-1,b:1);")
    with pytest.raises(ValueError, match="branch above") as caught:
        spaces.Tree.from_newick(path)
    assert str(caught.value).isprintable()


def test_deep_and_wide_trees():
    chain = "(" * 10_000 + "a:1,b:1)" + ":1)" * 9_999 + ";"
    assert read(chain) == (("a", "b"), [[0, 2], [2, 0]])
    comb = "(" * 1200 + "a0:1" + "".join(f",a{k}:1):1" for k in range(1, 1201)) + ";"
    table = np.asarray(spaces.Tree.from_newick(comb).distances)
    first, second = np.triu_indices(1201, 1)
    np.testing.assert_array_equal(table[first, second], second - np.maximum(first, 1) + 2)
    np.testing.assert_array_equal(table, table.T)


def test_more_leaves_than_memory_are_refused_before_the_table(monkeypatch):
    monkeypatch.setattr(_memory, "available", lambda: 2_000_000_000)
    refused(
        f"({','.join(f'a{k}:1' for k in range(20_000))});", r"20000 leaves need 6\.4 GB of memory; there are 2\.0 GB"
    )


def _random_newick(random, names):
    groups = [f"{name}:{random.integers(1, 100) / 8}" for name in names]
    while len(groups) > 1:
        count = int(random.integers(2, 4))
        place = int(random.integers(0, max(1, len(groups) - count + 1)))
        groups[place : place + count] = [f"({','.join(groups[place : place + count])}):{random.integers(0, 9)}"]
    return groups[0] + ";"


def test_path_lengths_are_those_of_dendropy():
    dendropy = pytest.importorskip("dendropy")
    random = np.random.default_rng(5)
    for _ in range(10):
        names = tuple(f"t{k}" for k in range(int(random.integers(2, 12))))
        text = _random_newick(random, names)
        other = dendropy.Tree.get(data=text, schema="newick")
        between = other.phylogenetic_distance_matrix()
        taxa = [other.taxon_namespace.get_taxon(name) for name in names]
        expected = [[between.patristic_distance(a, b) for b in taxa] for a in taxa]
        assert read(text) == (names, expected)


def corrupted(random, content):
    """The bytes with some of them changed, dropped, doubled or cut off."""
    content = bytearray(content)
    for _ in range(int(random.integers(1, 4))):
        place = int(random.integers(0, len(content) + 1))
        span = int(random.integers(0, 9))
        kind = int(random.integers(0, 5))
        if kind == 0:
            content[place : place + 1] = bytes([int(random.integers(0, 256))])
        elif kind == 1:
            content[place : place + 1] = random.choice(list(b"()[],:;'\"=\n\r -+e.0<{#&")).astype(np.uint8).tobytes()
        elif kind == 2:
            del content[place : place + span]
        elif kind == 3:
            content[place:place] = content[place : place + span]
        else:
            del content[place:]
    return bytes(content)


FUZZED = [NEWICK.encode(), TRANSLATED.replace("begin trees; no", "").encode(), gzip.compress(NEWICK.encode(), mtime=0)]


@pytest.mark.parametrize("seed", range(3))
def test_corrupted_trees_are_read_or_refused_in_a_line(seed, tmp_path):
    random = np.random.default_rng(seed)
    path = tmp_path / "owls (3).nwk"
    for _ in range(int(os.environ.get("SEMRES_FUZZ", 150))):
        path.write_bytes(corrupted(random, FUZZED[seed]))
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "owls|.*goes on after its first tree")
                labels, table = read(path)
        except ValueError as error:
            if not str(error).isprintable():
                raise
        else:
            assert len(set(labels)) == len(labels) == len(table) >= 2
            assert np.isfinite(table).all()


def test_pipes(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_text, args=(NEWICK,))
    writer.start()
    assert read(str(path)) == (OWLS, TABLE)
    writer.join()
