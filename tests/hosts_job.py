"""What tests of many hosts compute: here, in processes that JAX joined, and in one with more devices."""

import os
import sys
from pathlib import Path
from unittest import mock

import jax
import numpy as np

from semres_jax import Constant, Execution, Exponential, cli, estimate, plots, spaces
from semres_jax.cli import _hosts
from semres_jax.storage import processes
from semres_jax.training import toy
from semres_jax.training.toy import spread

RING = spaces.grid(spaces.get("circle"), 10)
SMALL = toy.Design(hidden=4, batch=16)
TRAINED = {"runs": 16, "steps": 20, "records": [5, 12]}
SWEPT = ("sweep", "--space", "circle", "--space", "interval", "--epsilon", "0:0.5:4", "--n", "2", "--json")


def trained(**options) -> dict[str, np.ndarray]:
    """Every field of a history of eight parts, one for each of eight devices."""
    with mock.patch.object(spread, "_PART", 2):
        return toy.train(RING, SMALL, **(TRAINED | options))._asdict()


def everything(folder: Path) -> dict[str, np.ndarray]:
    """Named arrays: estimates of either method and kind, a training that was resumed."""
    arrays = {}
    epsilon = np.array([0.1, 0.25])
    for method, similarity in (("lattice", Constant(epsilon)), ("prng", Exponential(epsilon))):
        # 9 trials more than fill a tile, in calls of a few tiles.
        how: dict = {"key": jax.random.key(5), "trials": 2**14 + 9, "method": method, "chunk": 2**12}
        got = estimate(spaces.get("circle"), similarity, **how)
        arrays |= {f"{method} {field}": getattr(got, field) for field in ("p_s", "p_i", "p_s_stderr", "var_b")}
    trained(steps=12, records=[5], checkpoint=folder / "toy")
    return arrays | {f"toy {name}": x for name, x in trained(checkpoint=folder / "toy", resume=True).items()}


def main(folder: Path) -> int:
    """Join the others where there are any; write what was found; run a command."""
    if "SLURM_PROCID" not in os.environ:
        jax.config.update("jax_num_cpu_devices", 8)
        arrays = everything(folder) | {f"{name} on 1": x for name, x in trained(execution=Execution(devices=1)).items()}
        np.savez(folder / "found0.npz", **arrays)
        return 0
    jax.config.update("jax_num_cpu_devices", 2)
    with _hosts._own_output():
        _hosts._join()
        arrays = everything(folder)
        try:
            trained(key=jax.random.key(4), checkpoint=folder / "toy", resume=True)
        except ValueError as error:
            arrays["refused"] = np.array(str(error))
        index, _ = processes.hosts()
        np.savez(folder / f"found{index}.npz", **arrays)
    _hosts._join = lambda: None  # once is enough
    plots.save_sweep = lambda table, folder: []
    return cli.main([*SWEPT, "--distributed", "--out", str(folder / f"out{index}")])


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
