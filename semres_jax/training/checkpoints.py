"""Checkpoints of long trainings: Orbax's, each with the settings that it was made with and a sum of what it holds."""

import contextlib
import gc
import json
import logging
import re
import shutil
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from semres_jax.storage.fingerprints import fingerprint
from semres_jax.storage.locks import Lock
from semres_jax.storage.processes import on_first
from semres_jax.storage.results import Unwritable, write_json
from semres_jax.storage.resume import require_same, run_settings

_KEPT = 2
# An entry of settings.json by which a folder of ours is known from any other with a file of that name.
_OURS = {"made_by": "semres_jax checkpoints 4"}
# What a killed run leaves: its lock, and the settings that it was writing.
_HALF = re.compile(r"\.semres-.*|\.settings-\d+-\d+\.json")
# Names of checkpoints, whole and half-written, as Orbax gives them.
_WHOLE, _PARTIAL = re.compile(r"\d+"), re.compile(r"\d+\.orbax-checkpoint-tmp.*")
# What Orbax was reading when it met a damaged file comes to its end in this time.
_STRAGGLERS = 0.1


class Checkpoints:
    """Numbered checkpoints of one training in a folder; the newest two are kept, each written whole or not at all.

    A checkpoint that was damaged afterwards is told by the fingerprint of its arrays, and the older one is taken. Each
    carries the settings of its training, so that one which another training wrote is refused. Folders are used by one
    process at a time; of several hosts one makes them (`training.toy.train` sees to it).

    Args:
        folder: made if missing. One that holds anything but checkpoints of ours is refused and left as it is.
        settings: what the training is, in plain numbers and strings; kept in settings.json beside the checkpoints.
        resume: go on from what is there. Otherwise checkpoints of ours that are there are removed.

    Raises:
        ValueError: a folder with something else in it, or that another process is using; asked to resume what was made
            with other settings, or by another version of this package or of JAX, or on another kind of processor.
        OSError: the folder can't be made or read.

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
        self._settings = run_settings(settings) | _OURS
        _settings_of(self.folder)  # a folder of someone else is not touched
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = Lock(self.folder)
        try:
            self._begin(ocp, resume)
        except BaseException:
            self._lock.release()
            raise

    def _begin(self, ocp: Any, resume: bool) -> None:
        there = _settings_of(self.folder)
        if there is not None and resume:
            require_same(self._settings, there, f"the checkpoint in {str(self.folder)!r}")
        else:
            self._remove(_WHOLE)
            # Last: without it what is left would be taken for someone else's.
            write_json(self._settings, self.folder / "settings.json")
        self._remove(_PARTIAL)
        here = jax.process_index()
        # Among several processes Orbax would wait for all of them to write.
        alone = ocp.options.MultiprocessingOptions(primary_host=here, active_processes={here})
        options = ocp.CheckpointManagerOptions(
            max_to_keep=_KEPT, create=False, enable_async_checkpointing=False, multiprocessing_options=alone
        )
        with _quiet() as refused:
            self._manager = ocp.CheckpointManager(self.folder, options=options)
        if refused:
            raise ValueError(f"checkpoints in {str(self.folder)!r} can't be read: {refused[0]}")
        self._save, self._restore = ocp.args.StandardSave, ocp.args.StandardRestore
        self._damaged: list[int] = []

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(self, *_: Any) -> None:
        try:
            self._manager.close()
        finally:
            self._lock.release()

    def latest(self) -> int | None:
        """Number of the newest checkpoint, None where there is none."""
        return self._manager.latest_step()

    def save(self, number: int, tree: Any) -> None:
        """Write a pytree of arrays; a number that is there already is left alone.

        Raises:
            Unwritable: it can't be, as on a full disk; those before it stay as they are.
        """
        with _quiet() as refused:
            for damaged in self._damaged:  # only now: whoever only reads loses nothing
                self._manager.delete(damaged)
            self._damaged = []
            if number != self.latest():
                tree = jax.tree.map(np.asarray, tree)
                metadata = {"fingerprint": _digest(tree, self._settings), "settings": self._settings}
                self._manager.save(number, args=self._save(tree), custom_metadata=metadata)
        if refused:
            with contextlib.suppress(OSError):
                self._remove(_PARTIAL)  # it takes room
            older = f"checkpoint {self.latest()} is whole" if self.latest() is not None else "there is none before it"
            raise Unwritable(
                f"checkpoint {number} can't be written to {str(self.folder)!r}: {refused[0]}; {older} (make room and "
                "resume)"
            )

    def restore(self) -> Any:
        """The newest checkpoint that is whole, NumPy arrays in nested dicts and lists; a warning where one is damaged.

        Raises:
            ValueError: none is whole, or there is none; the newest that is whole is of another training.
        """
        damaged: dict[int, str] = {}
        for number in sorted(self._manager.all_steps(), reverse=True):
            tree, kept = None, {}
            with _quiet() as refused:
                tree = self._manager.restore(number, args=self._restore())
                kept = self._manager.metadata(number).custom_metadata or {}
                if kept.get("fingerprint") != _digest(tree, kept.get("settings")):
                    raise ValueError("its arrays are not those that were written (their fingerprint differs)")
            if refused:
                damaged[number] = refused[0]
                continue
            what, advice = f"checkpoint {number} in {str(self.folder)!r}", "name another folder, or leave out resume"
            require_same(self._settings, kept["settings"], what, advice)
            self._damaged = list(damaged)
            for broken, reason in list(damaged.items())[:1]:
                message = f"checkpoint {broken} in {str(self.folder)!r} is damaged: {reason}; going on from {number}"
                warnings.warn(message, stacklevel=2)
            return tree
        if not damaged:
            raise ValueError(f"there is no checkpoint in {str(self.folder)!r}")
        number, reason = next(iter(damaged.items()))
        raise ValueError(
            f"checkpoint {number} in {str(self.folder)!r} can't be read: {reason}; there is no other that is whole "
            "(remove the folder to start anew)"
        )

    def _remove(self, names: re.Pattern[str]) -> None:
        for path in self.folder.iterdir():
            if names.fullmatch(path.name):
                shutil.rmtree(path)


class Store:
    """Checkpoints of a training, or nothing where no folder is given.

    Of several processes the first has them, and of several threads with one lock one at a time is in Orbax.
    """

    def __init__(self, folder: Any, settings: dict[str, Any], resume: bool, lock: Any = None):
        self.folder, self._lock = folder, lock or contextlib.nullcontext()
        self._checkpoints: Any = None

        def opened() -> None:
            self._checkpoints = Checkpoints(folder, settings, resume=resume)

        self._on_first(opened)

    def _on_first(self, job: Callable[[], Any]) -> Any:
        with self._lock:
            return None if self.folder is None else on_first(job)

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: Any) -> None:
        if self._checkpoints is not None:
            with self._lock:
                self._checkpoints.__exit__()

    def save(self, number: int, state: Any, content: Mapping[str, Any]) -> None:
        """Write the leaves of a state, and arrays by name."""
        self._on_first(lambda: self._checkpoints.save(number, {"state": jax.tree.leaves(state), **content}))

    def restore(self, state: Any) -> tuple[Any, dict[str, Any] | None]:
        """State and content of the newest checkpoint, or the state given and None."""
        content = self._on_first(lambda: None if self._checkpoints.latest() is None else self._checkpoints.restore())
        if content is not None:
            state = jax.tree.unflatten(jax.tree.structure(state), [jnp.asarray(x) for x in content["state"]])
        return state, content


@contextlib.contextmanager
def held(folder: Any) -> Iterator[None]:
    """The first process holds a folder of several folders of checkpoints, where one is given."""
    with contextlib.ExitStack() as stack:

        def hold() -> None:
            Path(folder).mkdir(parents=True, exist_ok=True)
            stack.enter_context(Lock(folder))

        if folder is not None:
            on_first(hold)
        yield


@contextlib.contextmanager
def _quiet() -> Iterator[list[str]]:
    """Errors in the block end up in the list, in one line each; Orbax and TensorStore would print their traces too."""
    logs, shown = [logging.getLogger(name) for name in ("absl", "asyncio")], sys.unraisablehook
    before, refused = [log.disabled for log in logs], []

    def unraisable(hint: Any) -> None:
        if str(hint.exc_value) != "Event loop is closed":  # by the error of another array
            shown(hint)

    sys.unraisablehook = unraisable
    for log in logs:
        log.disabled = True
    try:
        try:
            yield refused
        except Exception as error:  # of many kinds
            refused.append(_reason(error))
        if refused:
            time.sleep(_STRAGGLERS)
            gc.collect()  # arrays that failed after the first one tell of it when they are collected
    finally:
        sys.unraisablehook = shown
        for log, disabled in zip(logs, before, strict=True):
            log.disabled = disabled


def _reason(error: Exception) -> str:
    """One short line: of what TensorStore says, which goes from the outermost inwards, the end."""
    text = re.sub(r" \[\w+=.*", "", " ".join(str(error).split())) or type(error).__name__
    return text if len(text) < 120 else text.rsplit(": ", 1)[-1][-120:]


def _digest(tree: Any, settings: Any) -> str:
    return fingerprint((json.dumps(settings, sort_keys=True), tree))


def _settings_of(folder: Path) -> dict[str, Any] | None:
    """The settings of our checkpoints in a folder; None where it is missing, empty or was left before there were any.

    Raises:
        ValueError: something else is there.
    """
    if not folder.exists():
        return None
    if not folder.is_dir():
        raise ValueError(f"{str(folder)!r} is a file; name a folder for the checkpoints")
    names = sorted(path.name for path in folder.iterdir() if not _HALF.fullmatch(path.name))
    if not names:
        return None
    file = folder / "settings.json"
    if file.name not in names:
        raise ValueError(
            f"folder {str(folder)!r} holds {names[0]!r} and no checkpoints of ours; nothing was touched (name another "
            "folder, or empty this one)"
        )
    try:
        there = json.loads(file.read_text(encoding="utf-8"))
    except ValueError:
        raise ValueError(f"{str(file)!r} is broken; remove its folder to start anew") from None
    if not isinstance(there, dict) or any(there.get(name) != value for name, value in _OURS.items()):
        raise ValueError(
            f"{str(file)!r} is not of this version's checkpoints; nothing was touched (name another folder, or remove "
            "this one)"
        )
    return there
