"""Compare thousands of cells once: `python -m tests.independent.run --cells 20000 --seed 1 --out cells.jsonl`.

The file has one JSON line for each block of cells that share a program: how many, how long, and each failure with its
cell, answer and reference. A run that was stopped goes on where it was; `--repeat` computes the failures of a file
again, and says which are left. A block ends early after `--seconds` of its slow program; further blocks then make up
the number of cells.
"""

import argparse
import collections
import dataclasses
import json
import multiprocessing
import os
import time
import traceback
import warnings

BLOCK = 40
# Blocks that a process does before a new one takes its place: what is compiled piles up.
RENEWED = 24


def cell_from(described):
    """The cell that a line of the file describes."""
    from tests.independent.distances import Space
    from tests.independent.drawing import Cell, Program
    from tests.independent.finite import Stimuli
    from tests.independent.similarities import Strength

    program, strength = dict(described["program"]), dict(described["strength"])

    def place(space):
        if "weights" in space:
            return Stimuli(**space)
        return Space(**space | {"factors": tuple(place(factor) for factor in space["factors"])})

    program["space"] = place(program["space"])
    for name in ("distances", "values"):
        strength[name] = tuple(strength[name])
    return Cell(Program(**program), Strength(**strength), described["wrt"])


def checked(cell):
    """Failures as they are written; an error is one too."""
    from tests.independent import cells

    try:
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            failures = [dataclasses.asdict(failure) | {"told": str(failure)} for failure in cells.check(cell)]
            odd = sorted({f"{w.category.__name__}: {w.message}"[:300] for w in seen if "/jax" in w.filename})
    except Exception as error:
        message = f"{cell.program.label}: raises {type(error).__name__}: {str(error)[:300]}; {cell.strength}"
        failure = {"cell": dataclasses.asdict(cell), "what": "raises", "told": message}
        return [failure | {"trace": traceback.format_exc()[-3000:]}], []
    return failures, odd


def block(job):
    """All cells of a block, as the line of the file."""
    seed, number, most_seconds = job
    import jax

    from tests.independent import drawing

    started, failures, warned, count = time.time(), [], set(), 0
    while count < BLOCK and time.time() - started < most_seconds:
        cell = drawing.seeded(seed, number * BLOCK + count, BLOCK)
        wrong, odd = checked(cell)
        failures += [{"index": number * BLOCK + count} | failure for failure in wrong]
        warned |= set(odd)
        count += 1
    jax.clear_caches()
    return {
        "block": number, "program": cell.program.label, "cells": count,
        "seconds": round(time.time() - started, 2),
        "failures": failures, "warnings": sorted(warned),
    }  # fmt: skip


def run(planned, seed, out, processes, seconds):
    """Do the blocks that the file does not have yet."""
    head = {"seed": seed, "cells": planned, "block": BLOCK}
    done, checked_cells, wrong = set(), 0, 0
    if os.path.exists(out):
        with open(out, encoding="utf-8") as file:
            first, *lines = [json.loads(line) for line in file if line.endswith("\n")]
        if {key: first[key] for key in ("seed", "block")} != {"seed": seed, "block": BLOCK}:
            raise SystemExit(f"{out} is of another run: {first}")
        done = {line["block"] for line in lines}
        checked_cells = sum(line["cells"] for line in lines)
        wrong = sum(len(line["failures"]) for line in lines)
    # Many more blocks than whole ones would do: it ends when there are cells enough.
    jobs = [(seed, number, seconds) for number in range(4 * planned // BLOCK + 4) if number not in done]
    started, before = time.time(), checked_cells
    with open(out, "a", encoding="utf-8") as file:
        if not os.path.getsize(out):
            print(json.dumps(head), file=file, flush=True)
        with multiprocessing.get_context("spawn").Pool(processes, maxtasksperchild=RENEWED) as pool:
            for line in pool.imap_unordered(block, jobs) if checked_cells < planned else ():
                print(json.dumps(line), file=file, flush=True)
                checked_cells, wrong = checked_cells + line["cells"], wrong + len(line["failures"])
                rate = (checked_cells - before) / (time.time() - started)
                left = (planned - checked_cells) / rate / 60
                print(
                    f"{checked_cells:,} of {planned:,} cells, {wrong} failures, {left:.0f} min left; "
                    f"{line['program']}: {line['seconds']:.0f} s",
                    flush=True,
                )
                if checked_cells >= planned:
                    break
    summary(out)


def summary(out):
    """What failed, by kind."""
    with open(out, encoding="utf-8") as file:
        _, *lines = [json.loads(line) for line in file]
    failures = [failure for line in lines for failure in line["failures"]]
    kinds = collections.Counter()
    for failure in failures:
        program = failure["cell"]["program"]
        space = program["space"]["kind"]
        word = "undecided " if failure.get("undecided") else ""
        kinds[word + failure["what"], space, program["family"], program["way"], program["dtype"]] += 1
    for kind, count in kinds.most_common():
        print(count, *kind)
    print(f"{len(failures)} failures in {sum(line['cells'] for line in lines):,} cells")


def repeat(out, limit):
    """The failures of a file again."""
    with open(out, encoding="utf-8") as file:
        _, *lines = [json.loads(line) for line in file]
    left = 0
    for line in lines:
        for failure in line["failures"][:limit]:
            again, _ = checked(cell_from(failure["cell"]))
            same = [x for x in again if x["what"] == failure["what"]]
            left += len(same)
            print(*(x["told"] for x in same) if same else (f"mended: {failure['told']}",), sep="\n", flush=True)
    print(f"{left} left")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", required=True, help="file of results, one JSON line for each block")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=240.0, help="most that a block takes before it ends early")
    parser.add_argument("--repeat", action="store_true", help="the failures of the file again")
    parser.add_argument("--summary", action="store_true", help="what failed in the file, by kind")
    parser.add_argument("--limit", type=int, default=None, help="with --repeat: at most so many of each block")
    given = parser.parse_args()
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    if given.repeat:
        repeat(given.out, given.limit)
    elif given.summary:
        summary(given.out)
    else:
        run(given.cells, given.seed, given.out, given.processes, given.seconds)


if __name__ == "__main__":
    main()
