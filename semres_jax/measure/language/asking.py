"""Asking a language model the year task: what is asked within a budget, and going on where a run stopped."""

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from semres_jax._checks import require_count
from semres_jax._types import Progress
from semres_jax.execution import Execution
from semres_jax.measure.language import wording, year_task
from semres_jax.measure.language.scoring import Answers, require_scores
from semres_jax.storage.resume import Saved

if TYPE_CHECKING:
    from semres_jax.measure.language.backends import Backend

TASKS = ("pairs", "items", "identify", "layers")
COUNTS, HALVES = (2, 4, 8, 16, 32), (2, 5, 20, 50, 100, 200)
# Of ten parts of the budget.
_PARTS = {"pairs": 4, "items": 2, "identify": 2, "layers": 2}
# Prompts of one trial: both orders of both assignments of names; both orders; sentences of a year.
_EACH = {"pairs": 4, "items": 2, "identify": 2, "layers": 4}
# Names that are used, if no more are needed: `measure.choices` takes 64 at most.
_NAMES = 48
# Prompts whose numbers of tokens, divided by this, are alike are asked together.
_STEP = 16
_MAX_TOKENS = 16
_LLAMA = "<|start_header_id|>user<|end_header_id|>\n\n{text}<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"
# How the models that are most used mark who speaks; the first whose marks are tokens is the model's.
_CHATS = (
    ("<|im_start|>", "<|im_start|>user\n{text}<|im_end|>\n<|im_start|>assistant\n"),
    ("<start_of_turn>", "<start_of_turn>user\n{text}<end_of_turn>\n<start_of_turn>model\n"),
    ("<|start_header_id|>", _LLAMA),
)  # fmt: skip


class Design(NamedTuple):
    """What is asked.

    Attributes:
        trials: by task, without "layers".
        years: of the sentences whose states are looked at; None if not asked for.
        names: that are used.
        template: name of one of `wording.TEMPLATES`.
        prompts: how many there are of each task.
    """

    trials: dict[str, year_task.Trials]
    years: np.ndarray | None
    names: tuple[str, ...]
    template: str
    prompts: dict[str, int]


def design(
    backend: "Backend", *, tasks: Sequence[str] = TASKS, prompts: int = 2000, counts: Sequence[int] = COUNTS,
    halves: Sequence[int] = HALVES, template: str = "chat", key: Any = None, names: Sequence[str] | None = None,
) -> Design:  # fmt: skip
    """Divide a budget of prompts: pairs 4 parts, items 2, identify 2, layers 2, of those that are asked for.

    Each task then has as many whole trials for each D, or n, as fit in: a pair's trial is four prompts, a set of items
    two, a year four sentences.

    Arguments and errors are those of `measure.years`; the backend's tokens decide about names, unless there are enough
    `names` that an earlier run took.
    """
    for task in tasks:
        if task not in TASKS:
            raise ValueError(f"task must be one of {', '.join(TASKS)}; got {task!r}")
    if not tasks or len(set(tasks)) < len(tasks):
        raise ValueError(f"task must be some of {', '.join(TASKS)}, each once; got {list(tasks)}")
    if template not in wording.TEMPLATES:
        raise ValueError(f"template must be one of {', '.join(wording.TEMPLATES)}; got {template!r}")
    counts, halves = list(counts), list(halves)
    if not counts or not halves:
        raise ValueError(f"{'offsets' if counts else 'n'} must have at least one number, such as {20 if counts else 2}")
    prompts = require_count("prompts", prompts, 1)
    if "layers" in tasks and not backend.depth:
        raise ValueError(f"{backend.name!r} tells no states of its layers; leave out the task layers")
    parts, sizes, total = sum(_PARTS[task] for task in tasks), {}, {}
    for task in tasks:
        share = _EACH[task] * {"pairs": len(halves), "layers": 1}.get(
            task, len(counts)
        )  # prompts of a trial of each cell
        sizes[task] = prompts * _PARTS[task] // parts // share
        total[task] = sizes[task] * share
        least = 3 if task == "layers" else 2
        if sizes[task] < least:
            needed = -(-least * share * parts // _PARTS[task])
            raise ValueError(f"prompts must be at least {needed} for {task}, of all {prompts} that are asked for")
    wanted = max(2, *(max(counts) if task in ("items", "identify") else 2 for task in tasks))
    lead = wording.TEMPLATES[template].lead
    if names is None or len(names) < wanted:
        names = wording.matched(backend.tokens, wanted, lead, most=max(_NAMES, wanted))
    names = tuple(names)
    trials, years = {}, None
    for task, size in sizes.items():
        if task == "layers":
            years = year_task.spread_years(size, key=key)
        elif task == "pairs":
            trials[task] = year_task.pairs(halves, size, names, key=key)
        else:
            trials[task] = year_task.items(counts, size, names, identify=task == "identify", key=key)
    return Design(trials, years, names, template, total)


def chat_of(tokens: Callable[[str], Sequence[int]]) -> Callable[[str], str] | None:
    """How a model's chat marks a user's message and where its reply begins, by which marks are single tokens; or None.

    Known: ChatML (SmolLM2, Qwen), Gemma, Llama 3. No system message.

    Example:
        >>> from semres_jax.measure.language import asking
        >>> chat = asking.chat_of(lambda text: text.split("<|im_start|>")[1:] if "im" in text else list(text))
        >>> chat("Hi")
        '<|im_start|>user\\nHi<|im_end|>\\n<|im_start|>assistant\\n'
    """
    for mark, text in _CHATS:
        if len(tokens(mark + mark)) == len(tokens(mark)) + 1:
            return lambda message, text=text: text.format(text=message)
    return None


def ask(
    backend: "Backend", plan: Design, *, generate: bool = False, batch: int = 64, execution: Execution | None = None
) -> tuple[dict[str, Answers], np.ndarray | None]:
    """Ask everything of a design: answers by task, and (layers, years, D) states of years.

    Prompts are asked in cells of `batch` of about equal length, those of a server each on its own; finished cells are
    saved and not asked again.

    Args:
        backend: as `backends.Backend`; for states, one with layers.
        plan: from `design`.
        generate: let the model write, and take the first of the names that it writes, as a whole word.
        batch: prompts at once.
        execution: its `progress` is called with (task, prompts done, prompts in all), its `saved` must be open.
    """
    execution, batch = execution or Execution(), require_count("batch", batch, 1)
    saved, template = execution.saved or Saved(None), wording.TEMPLATES[plan.template]
    chat = chat_of(backend.tokens) if template.chat else None
    total, answers = sum(plan.prompts.values()), {}
    for task, trials in plan.trials.items():
        before = sum(len(answer.weight) for answer in answers.values())
        texts, names = wording.prompts(trials, template, chat), wording.answers(trials, template)

        def tell(done: int, task: str = task, before: int = before) -> None:
            execution.tell(task, before + done, total)

        cells = _cells(task, texts, backend, batch)
        kept = _kept(backend, cells, saved, texts, names, generate=generate, tell=tell)
        numbers: np.ndarray = np.full(trials.name.shape, np.nan)
        for cell, rows in cells:
            if generate:
                named = kept[cell]["chosen"][:, None] == np.arange(numbers.shape[1])
                numbers[rows] = np.where(trials.name[rows] >= 0, named, np.nan)
            else:
                numbers[rows, : kept[cell]["log_p"].shape[1]] = kept[cell]["log_p"]
        if generate:
            answers[task] = Answers(trials, np.nan_to_num(numbers), np.full(numbers.shape, np.nan))
        else:
            answers[task] = Answers.of_scores(trials, numbers)
    if plan.years is None:
        return answers, None
    done = total - plan.prompts["layers"]
    return answers, _states(backend, plan, batch, saved, lambda more: execution.tell("layers", done + more, total))


def _kept(
    backend: "Backend", cells: list[tuple[str, list[int]]], saved: Saved, texts: list[str], names: list[list[str]], *,
    generate: bool, tell: Callable[[int], None],
) -> dict[str, dict[str, np.ndarray]]:  # fmt: skip
    """What was answered in cells: of those that are finished what is saved, of others what the backend answers now."""
    kept = {cell: numbers for cell, _ in cells if (numbers := saved.finished(cell)) is not None}
    todo = [(cell, rows) for cell, rows in cells if cell not in kept]
    done = sum(len(rows) for cell, rows in cells if cell in kept)
    answer, alone = _written if generate else _log_probabilities, backend.alone

    def ask_cell(part: tuple[str, list[int]]) -> dict[str, np.ndarray]:
        progress = None if alone else lambda _, count, __: tell(done + count)
        return answer(backend, [texts[i] for i in part[1]], [names[i] for i in part[1]], progress)

    for place, numbers in backend.answers(ask_cell, todo):
        cell, rows = todo[place]
        kept[cell] = numbers
        saved.finish(cell, numbers)
        done += len(rows)
        tell(done)
    return kept


def _written(
    backend: "Backend", texts: list[str], names: list[list[str]], progress: Progress | None
) -> dict[str, np.ndarray]:
    """The names that the model writes after texts."""
    written = backend.generate(texts, max_tokens=_MAX_TOKENS, progress=progress)
    pairs = zip(written, names, strict=True)
    return {"chosen": np.array([first_name(text, [name.strip() for name in row]) for text, row in pairs])}


def _log_probabilities(
    backend: "Backend", texts: list[str], names: list[list[str]], progress: Progress | None
) -> dict[str, np.ndarray]:
    """Those of the names after texts, NaN where a text has fewer."""
    table = np.full((len(texts), max(map(len, names))), np.nan)
    for place, scores in zip(table, backend.score(texts, names, progress=progress), strict=True):
        place[: len(scores)] = scores
    there = np.arange(table.shape[1]) < np.array([len(row) for row in names])[:, None]
    require_scores(table, there, f"{backend.name!r} tells", texts)  # before they are kept
    return {"log_p": table}


def first_name(text: str, names: Sequence[str]) -> int:
    """Index of the name that comes first in a text, as a whole word; -1 where none does.

    Example:
        >>> from semres_jax.measure.language import asking
        >>> asking.first_name("The closest is Anna, not Mark.", ["Mark", "Anna"])
        1
        >>> asking.first_name("Joanna or Marko", ["Mark", "Anna"])
        -1
    """
    matches = [(match.start(), i) for i, name in enumerate(names)
               if (match := re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text))]  # fmt: skip
    return min(matches)[1] if matches else -1


def _cells(task: str, texts: Sequence[str], backend: "Backend", batch: int) -> list[tuple[str, list[int]]]:
    """Names and rows of cells: prompts that need about as many tokens, `batch` at most; of a server each on its own."""
    if backend.alone:
        return [(f"{task}, prompt {i}", [i]) for i in range(len(texts))]
    alike: dict[int, list[int]] = {}
    for i, text in enumerate(texts):
        alike.setdefault(len(backend.tokens(text)) // _STEP, []).append(i)
    parts = [rows[k : k + batch] for _, rows in sorted(alike.items()) for k in range(0, len(rows), batch)]
    return [(f"{task} {k}", rows) for k, rows in enumerate(parts)]


def _states(backend: "Backend", plan: Design, batch: int, saved: Saved, tell: Callable[[int], None]) -> np.ndarray:
    """(layers, years, D): the state of the year's last token, mean over a sentence each of four names."""
    assert plan.years is not None
    count, years, parts = _EACH["layers"], plan.years.tolist(), []
    size = max(1, batch // count)
    for k in range(0, len(years), size):
        cell, some = f"layers {k}", years[k : k + size]
        kept = saved.finished(cell)
        if kept is None:
            texts = [text for row in wording.year_sentences(some, plan.names, count) for text in row]
            states = np.asarray(backend.hidden(texts), np.float64)
            kept = {"states": states.reshape(len(states), len(some), count, -1).mean(2).astype(np.float32)}
            saved.finish(cell, kept)
        parts.append(kept["states"])
        tell((k + len(some)) * count)
    return np.concatenate(parts, axis=1)
