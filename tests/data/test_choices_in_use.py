"""Tables of choices as programs and people leave them: the right numbers, or one line that says what is wrong."""

import gzip

import numpy as np
import pandas as pd
import pytest

from semres_jax import data
from semres_jax.data.choices import ItemCounts, read_items, read_table

WIDE = "distance_1,distance_2,choice\n"
LONG = "trial,distance,chosen\n"
SHAPES = "D00_DIST,D00_X,D00_Y,D00_SHAPE,D01_DIST,D01_X,D01_Y,D01_SHAPE,answer,star\n"
NAMED = "distance_1,distance_2,label_1,label_2,choice\n"


@pytest.fixture
def read(tmp_path):
    def of(text, reader=data.read_choices):
        path = tmp_path / "table.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return reader(path)

    return of


def _is(table, distances, chosen, left_out=0, absent=0):
    np.testing.assert_array_equal(table.distances, distances)
    assert (table.chosen.tolist(), table.left_out, table.absent) == (chosen, left_out, absent)


@pytest.mark.parametrize(
    "text",
    [
        "distance_1,distance_2,choice\n0.25,0.5,2.0\n0.75,0.125,1.00\n",
        "Distance 1,DISTANCE.2,Choice,\n0.25,0.5, 2 ,\n0.75,0.125,1,\n,,,\n",
        "dist_2,choice,distance01,distance_1_error\n0.5,+2,0.25,9\n0.125,1,.75,9\n",
        '\ufeff"",distance_1,distance_2,choice\r\n"0",2.5E-1,0.5,2\r\n"1",0.75,0.125,1\r\n',
        "distance_1;distance_2;choice\n0,25;0,5;2,0\n0,75;0,125;1\n",
        'sep=;\n"distance_1";"distance_2";"choice";\n0.25;0.5;2;\n0.75;0.125;1;;\n',
        "distance_1\tdistance_2\tchoice\n0,25\t0,5\t2\n0,75\t0,125\t1\n",
        'distance_1,distance_2,choice\n"0,25","0,5",2\n"0,75","0,125",1\n',
        "trial,distance,chosen\n1,0.25,0.0\n1,0.5,1.0\n2,0.75,TRUE\n2,0.125,FALSE\n",
        "Participant ID,Trial,Distance,Chosen\nx,1,0.25,0\nx,1,0.5,1\ny,1,0.75,t\ny,1,0.125,f\n",
        "trial,position,distance,chosen\na,1,0.25,0\nb,1,0.75,1\na,2,0.5,1\nb,2,0.125,0\n",
        gzip.compress(b"distance_1,distance_2,choice\n0.25,0.5,2\n0.75,0.125,1\n", mtime=0),
        "distance_1,distance_2,choice\n0.25,0.5,2\n0.75,0.125,1\n".encode("utf-16"),
    ],
)
def test_as_programs_write_it(read, text):
    _is(read(text), [[0.25, 0.5], [0.75, 0.125]], [1, 0])


@pytest.mark.parametrize("word", ["", "NA", "n/a", "nan", "NaN", "NULL", "None", ".", "<NA>", "#N/A"])
def test_what_is_missing_is_left_out_and_counted(read, word):
    heads = WIDE.replace("choice", "distance_3,choice")
    _is(read(f"{heads}1,2,3,{word}\n1,{word},4,3\n{word},{word},1,3\n"), [[1, np.nan, 4]], [2], left_out=2, absent=1)
    long = f"{LONG}1,5,{word}\n1,6,{word}\n2,5,0\n2,{word},0\n2,7,1\n"
    _is(read(long), [[5, np.nan, 7]], [2], left_out=1, absent=1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (WIDE + "1,2,0\n1,2,1\n", "line 2 of .*'0' is none of '1', '2' .choices count from 1"),
        (WIDE + "1,2,1.5\n", "'1.5' is none of"),
        (WIDE + "1,2,-99\n", "'-99' is none of"),
        (WIDE + "1,2,²\n", "'²' is none of"),
        (WIDE + "1,-99,1\n", "distance_2 must be at least 0; got -99 .leave the cell empty"),
        (WIDE + "inf,2,1\n", "distance_1 must be finite; got inf"),
        (WIDE + "1_0,2,1\n", "must be a number; got '1_0'"),
        (WIDE + "NA,NA,NA\n1,2,\n", "no usable answer in 2 trials"),
        (WIDE + "1,2,1\n" + WIDE + "1,2,1\n", "line 3 of .* repeats the first line"),
        (WIDE + '1,2,1\n"1,2,1\n1,2,1\n', "table.csv"),
        (WIDE.replace("_2", "_4") + "1,2,1\n", "'distance_4', but no distance_3"),
        (WIDE.replace("_2", "_0") + "1,2,1\n", "'distance_0'; items count from 1"),
        (WIDE.replace("_2", "_1.1") + "1,2,1\n", "'distance_1.1' beside 'distance_1'"),
        (WIDE.replace("_2", "1") + "1,2,1\n", "'distance1' beside 'distance_1'"),
        (WIDE.replace("choice", "Choice,choice") + "1,2,1,1\n", "'choice' in several columns: 'Choice', 'choice'"),
        (NAMED.replace("label_2", "label_3") + "1,2,a,b,1\n", "'label_3', but no label_2"),
        (NAMED.replace("label_1", "label_0") + "1,2,a,b,1\n", "'label_0'; items count from 1"),
        (NAMED + "1,2,2,1,1\n", "choice '1' may be item 1 by its number or item 2 by its label"),
        (NAMED + "1,2,a,NA,1\n", "label_2 is 'NA', which is no name"),
        (NAMED + f"1,2,a,{'b' * 600},1\n", "label_2 has 600 characters"),
        ("distance_1;distance_2;choice\n1,100;500;1\n", "got '1,100', whose comma may be one of thousands"),
        ("distance_1;distance_2;choice\n0,5;0.5;1\n", "got '0,5', whose comma"),
        (WIDE.replace(",c", ",,c") + "1,2,3,1\n", "entries in column 3, but no name"),
        (WIDE.replace("\n", ",,\n") + "1,2,1,3,\n", "must have 3 entries, one for each column; got 4"),
        (
            LONG + "1,1,1\n1,2,0\n2,1,1\n2,2,0\n1,3,0\n1,4,0\n",
            "line 6 .* trial '1', which begins on line 2, comes again",
        ),
        (LONG + "1,1,1\n1,2,0\n1,3,1\n1,4,0\n", "second chosen item.* begin anew"),
        ("position," + LONG + "1,1,1,0\n2,1,2,0\n1,1,1,1\n2,1,2,0\n", "line 4 .* has the position '1' again"),
        (LONG + "1,1,1\n1,2,0\n2,1,1\n", "line 4 of .*: trial '2' has one item"),
        (LONG + "NA,1,1\nNA,2,0\n", "trial is 'NA'"),
        (LONG + "1,1,2\n1,2,0\n", "chosen must be 1 or 0; got '2'"),
        (LONG + "1,NA,1\n1,2,0\n1,3,0\n", "the chosen item has no distance"),
        ("D00_DIST,D00_X,D00_Y,D00_SHAPE,D01_X,answer\n1,0,0,star,0,star\n", "no column 'd01_shape'"),
        ("n,right,trials\n2,1,2\n", "read_items reads it"),
    ],
)
def test_one_line_says_what_is_wrong(read, text, message):
    with pytest.raises(ValueError, match=message) as refused:
        read(text)
    assert "\n" not in str(refused.value)


def test_trials_of_several_subjects_stay_apart(read):
    lines = "A,1,.1,0\nA,1,.5,0\nB,1,.4,0\nB,1,.2,1\nA,2,.1,1\nA,2,.3,0\n"
    for name in ("subject", "SubjectID", "session", "run_nr", "model"):
        _is(read(f"{name},{LONG}{lines}"), [[0.4, 0.2], [0.1, 0.3]], [1, 0], left_out=1)


def test_numbers_that_are_labels(read):
    """Where any row can be read in one way only, all are; 7.0 is 7."""
    assert read(NAMED + "1,2,7,2,2\n1,2,9,7,7.0\n").chosen.tolist() == [1, 1]
    assert read(NAMED + "1,2,2,1,2\n1,2,9,7,1\n").chosen.tolist() == [1, 0]
    assert read(NAMED + "1,2,01,02,2\n1,2,02,01,1\n1,2,03,04,4\n").chosen.tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("2.0,5.0,1e1", None),
        ("2.5,1,2", "n must be a whole number; got 2.5"),
        ("1,1,2", "n must be at least 2; got 1"),
        ("2,-1,2", "right must be at least 0"),
        ("2,3,2", "right must be at most trials; got 3 of 2"),
        ("2,NA,2", "right must be a number; got 'NA'"),
        ("2,0,0", "trials must be at least 1"),
    ],
)
def test_counts_of_items(read, line, message):
    if message is None:
        assert [float(x[0]) for x in read(f"n,right,trials\n{line}\n", read_table)] == [2, 5, 10]
    else:
        with pytest.raises(ValueError, match=f"line 2 of .*: {message}"):
            read(f"n,right,trials\n{line}\n", read_items)


D = np.array([[0.5, 0.25], [1.0, 2.0], [0.125, 4.0]])


@pytest.mark.parametrize(
    ("distances", "chosen"),
    [
        (D.tolist(), (1.0, 0, 1)),
        (pd.DataFrame(D, index=list("abc")), pd.Series([1, 1, 0], index=list("acb"))),
        (pd.DataFrame(D).astype("Float32"), pd.Series([1, 0, 1], dtype="Int64")),
        (pd.Series(D.tolist()), np.array([1, 0, 1], object)),
        (D.astype(object), np.ma.array([1, 0, 1])),
    ],
)
def test_arrays_as_people_have_them(distances, chosen):
    table = data.Choices(distances, chosen)
    np.testing.assert_array_equal(table.distances, D)
    assert (table.distances.dtype, table.chosen.tolist()) == (np.float64, [1, 0, 1])


def test_what_is_masked_is_no_item():
    mask = [[False, True, False], [False] * 3, [False] * 3]
    labels = pd.DataFrame([["a", None, "b"]] + [["a", "c", "b"]] * 2)
    table = data.Choices(np.ma.array(np.c_[D, D[:, 0]], mask=mask), [0, 1, 2], labels=labels)
    assert np.isnan(table.distances).tolist() == mask
    assert table.labels.tolist()[0] == ["a", "", "b"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"distances": D + 1j}, "distances must be real numbers.*complex128"),
        ({"distances": [[1, 2], [1, 2], [1, 2, 3]]}, "distances must be real numbers, as many in each row"),
        ({"distances": pd.DataFrame(D).assign(name="x")}, "distances must be real numbers.*'x'"),
        ({"distances": D[0]}, "distances must be .trials, items., at least 2 items"),
        ({"chosen": [1, np.nan, 0]}, "trial 2 has nan .leave out trials without a choice"),
        ({"chosen": [1, 0.5, 0]}, "trial 2 has 0.5"),
        ({"chosen": ["a", "b", "a"]}, "chosen must be real numbers"),
        ({"chosen": np.array([True, False, True])}, "an array of bool"),
        ({"distances": pd.DataFrame(D), "chosen": pd.Series([1, 0, 1], index=[1, 2, 3])}, "chosen and distances have"),
        ({"labels": [["a", "b"]] * 2}, "labels must be of the shape of distances"),
        ({"labels": [["a", "b"], ["a"], ["b"]]}, "labels must be of the shape of distances"),
        ({"labels": pd.DataFrame([["a", "b"], ["a", None], ["b", "a"]])}, "no name for item 2 of trial 2"),
        ({"labels": np.array([["a", 1], ["a", 1], ["b", 2]], object)}, "all names or all numbers"),
    ],
)
def test_arrays_that_can_not_be(change, message):
    with pytest.raises(ValueError, match=message) as refused:
        data.Choices(**({"distances": D, "chosen": [1, 0, 1]} | change))
    assert "\n" not in str(refused.value)


ODD = ("", "NA", "0", "1", "2", "2.0", "-1", "1e9999", "-inf", "0,5", "1,000", '"', "a\"b", "True", "x" * 900, "\x00",
       "é", "\ud800", "1;2", "1\t2", "9" * 40, "distance_1", "\x1b[31m", "#", "١", "\r", "\n", "null")  # fmt: skip
VALID = (
    NAMED + "1,2,a,b,a\n3,4,b,c,2\n5,6,a,c,c\n7,8,a,c,1\n",
    "subject,trial,distance,chosen,score\nA,1,1,0,.5\nA,1,2,1,.5\nB,1,3,1,1\nB,1,4,0,2\nB,2,5,1,1\nB,2,6,0,2\n",
    SHAPES + "1,0,0,star,2,1,1,heart,star,9\n3,1,0,heart,4,1,1,star,Heart,8\n5,1,0,heart,6,1,1,star,none,7\n",
    "n,right,trials\n2,3,4\n5,6,7\n8,9,10\n",
)


def _corrupted(text, rng):
    """A cell, a line or some bytes of a table that aren't what they were."""
    lines = [line.split(",") for line in text.rstrip("\n").split("\n")]
    for _ in range(rng.integers(1, 4)):
        k = rng.integers(len(lines))
        kind, j = rng.integers(6), rng.integers(len(lines[k]))
        if kind < 3:
            lines[k][j] = ODD[rng.integers(len(ODD))]
        elif kind == 3:
            lines.insert(k, lines[rng.integers(len(lines))][:])
        elif kind == 4 and len(lines) > 1:
            del lines[k]
        else:
            lines[k] = lines[k][:j] + lines[k][j + 1 :] or [""]
    content = bytearray("\n".join(",".join(line) for line in lines).encode("utf-8", "surrogatepass"))
    if rng.random() < 0.3:
        content[rng.integers(len(content))] = rng.integers(256)
    return bytes(content[: rng.integers(len(content))] if rng.random() < 0.1 else content)


def corrupted_tables(read, seed, count):
    """How many of so many corrupted tables were read and refused; whatever is read, is choices."""
    rng, answers = np.random.default_rng(seed), {"read": 0, "refused": 0}
    for _ in range(count):
        text = _corrupted(VALID[rng.integers(len(VALID))], rng)
        table, message = None, ""
        try:
            table = read(text, read_table)
        except ValueError as error:
            message = str(error)
        answers["refused" if table is None else "read"] += 1
        if table is None:
            assert message.isprintable(), text
            assert "table.csv" in message, text
            assert len(message) < 700, text
            continue
        if isinstance(table, ItemCounts):
            assert (np.array(table.right) <= table.trials).all()
            continue
        chosen = table.distances[np.arange(len(table.chosen)), table.chosen]
        assert (np.isfinite(chosen) & (chosen >= 0)).all(), text
        assert ((~np.isnan(table.distances)).sum(1) > 1).all(), text
    return answers


def test_corrupted_tables(read):
    answers = corrupted_tables(read, seed=0, count=120)
    assert min(answers.values()) > 10


def test_an_odd_cell_changes_its_own_trial_only(read):
    """A missed trial is left out and counted; whatever else is read, others' numbers stay."""
    lines = [["1", "2", "3", "1"], ["4", "5", "6", "2"], ["7", "8", "9", "3"]]
    whole = np.array(lines, float)[:, :3]
    for word in ODD:
        for j in range(4):
            odd = [row[:] for row in lines]
            odd[1][j] = word
            text = "\n".join(",".join(row) for row in [["distance_1", "distance_2", "distance_3", "choice"], *odd])
            try:
                table = read(text.encode("utf-8", "surrogatepass"))
            except ValueError:
                continue
            assert len(table.chosen) + table.left_out == 3
            ends = table.distances[[0, -1]], table.chosen[[0, -1]].tolist()
            np.testing.assert_array_equal(ends[0], whole[[0, 2]])
            assert ends[1] == [0, 2]
