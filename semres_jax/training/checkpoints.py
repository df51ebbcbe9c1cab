"""Checkpoints of long trainings: Orbax's, each with the settings that it was made with."""

import json
import shutil
from pathlib import Path
from typing import Any

import jax
import numpy as np

from semres_jax.results import plain, write_json

_KEPT = 2


class Checkpoints:
    """Numbered checkpoints of one training in a folder; the newest two are kept, each written whole or not at all.

    Args:
        folder: made if missing.
        settings: what the training is, in plain numbers and strings; kept in settings.json beside the checkpoints.
        resume: go on from what is there. Otherwise what is there is removed.

    Raises:
        ValueError: asked to resume what was made with other settings, or what is broken.

    Example:
        >>> import tempfile, numpy as np
        >>> from semres_jax.training.checkpoints import Checkpoints
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with Checkpoints(folder, {"hidden": 3}) as kept:
        ...         kept.save(7, {"w": np.ones(2)})
        ...     with Checkpoints(folder, {"hidden": 3}, resume=True) as kept:
        ...         kept.latest(), kept.restore()["w"].tolist()
        (7, [1.0, 1.0])
    """

    def __init__(self, folder: Any, settings: dict[str, Any], *, resume: bool = False):
        import orbax.checkpoint as ocp  # 1.3 s to import

        self.folder = Path(folder).resolve()
        told = self.folder / "settings.json"
        settings = json.loads(json.dumps(plain(settings)))
        if resume and told.exists():
            _same(settings, told)
        elif self.folder.exists():
            shutil.rmtree(self.folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        write_json(settings, told)
        options = ocp.CheckpointManagerOptions(max_to_keep=_KEPT, enable_async_checkpointing=False)
        self._manager = ocp.CheckpointManager(self.folder, options=options)
        self._save, self._restore = ocp.args.StandardSave, ocp.args.StandardRestore

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(self, *_: Any) -> None:
        self._manager.close()

    def latest(self) -> int | None:
        """Number of the newest checkpoint, None where there is none."""
        return self._manager.latest_step()

    def save(self, number: int, tree: Any) -> None:
        """Write a pytree of arrays; a number that is there already is left alone."""
        if number != self.latest():
            tree = jax.tree.map(np.asarray, tree)
            self._manager.save(number, args=self._save(tree))

    def restore(self) -> Any:
        """The newest checkpoint, NumPy arrays in nested dicts and lists."""
        number = self.latest()
        try:
            return self._manager.restore(number, args=self._restore())
        except Exception as error:  # orbax and tensorstore raise many kinds
            reason = " ".join(str(error).split())[:200]
            raise ValueError(
                f"checkpoint {number} in {str(self.folder)!r} can't be read: {reason} (remove the folder to start anew)"
            ) from None


def _same(settings: dict[str, Any], told: Path) -> None:
    try:
        there = json.loads(told.read_text(encoding="utf-8"))
    except ValueError:
        raise ValueError(f"{str(told)!r} is broken; remove its folder to start anew") from None
    for name in sorted(settings.keys() | there.keys()):
        if settings.get(name) != there.get(name):
            raise ValueError(
                f"can't resume with {name} = {settings.get(name)}: the checkpoint in {str(told.parent)!r} was made "
                f"with {there.get(name)} (give the same, or another folder, or leave out resume)"
            )
