"""The year task in words: names of one length, templates of questions, and the texts that a model is shown."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from semres_jax.measure.language.year_task import Trials

# People's names, from which those are taken that a tokenizer has in one piece.
_NAMES = """
Adam Alan Alice Amy Andrew Anna Arthur Barbara Ben Betty Bob Brian Bruce Carl Carol Catherine Charles Charlotte
Chris Claire Clara Craig Daniel David Dennis Diana Donald Dorothy Douglas Edgar Edward Eliza Emily Emma Eric
Ethan Felix Frank Fred Gary George Grace Graham Greg Hannah Harold Harry Helen Henry Howard Hugh Ian Isaac Ivan
Jack Jacob James Jane Jason Jean Jeff Jerry Jim Joan Joe John Jonathan Jordan Joseph Joshua Joyce Judy Julia
Julie Karen Kate Keith Kelly Kevin Larry Laura Lee Leo Lewis Linda Lisa Louis Lucy Luke Margaret Maria Mark
Martin Mary Matthew Max Michael Mike Nancy Nathan Neil Nick Nicholas Nina Noah Norman Oliver Olivia Oscar
Patricia Patrick Paul Peter Philip Rachel Ralph Ray Rebecca Richard Robert Roger Ronald Rose Roy Russell Ruth
Ryan Samuel Sandra Sarah Scott Sean Simon Sophie Stanley Stephen Steven Stuart Susan Teresa Terry Thomas Tim Tom
Tony Victor Victoria Vincent Virginia Walter Warren Wayne William
"""
NAMES = tuple(_NAMES.split())
FACT = "{name} was born in {year}."


def year_sentences(years: Sequence[int], names: Sequence[str], count: int) -> list[list[str]]:
    """For each year a sentence, which ends with it, with each of `count` names spread over those given.

    Example:
        >>> from semres_jax.measure.language import wording
        >>> wording.year_sentences([1066, 1492], ["Ann", "Bob", "Cy", "Dee"], 2)
        [['Ann was born in 1066', 'Cy was born in 1066'], ['Ann was born in 1492', 'Cy was born in 1492']]
    """
    chosen = [names[(k * len(names)) // count] for k in range(count)]
    return [[FACT.format(name=name, year=year)[:-1] for name in chosen] for year in years]


class Template(NamedTuple):
    """How a question is put.

    Attributes:
        closest: the similarity task's question, with {facts} and {probe}.
        exact: that of the identification task.
        chat: it is a user's message, put into the model's chat template; the answer is the reply.
        lead: what is between the prompt and the name: a space, or nothing where the prompt ends a line.
        description: the template in words.
    """

    closest: str
    exact: str
    chat: bool
    lead: str
    description: str


_EXAMPLES = (
    ((("Hugh", 1820), ("Diana", 1460)), 1480, "Diana"),
    ((("Felix", 1310), ("Oscar", 1655)), 1302, "Felix"),
    ((("Ruth", 1530), ("Ivan", 1790)), 1801, "Ivan"),
    ((("Leo", 1745), ("Nina", 1590)), 1733, "Leo"),
)


def _said(facts: Sequence[tuple[str, int]]) -> str:
    return " ".join(FACT.format(name=name, year=year) for name, year in facts)


def _shown(ask: str, exact: bool) -> str:
    lines = (
        f"{_said(facts)} {ask.format(probe=dict(facts)[right] if exact else near)} {right}.\n"
        for facts, near, right in _EXAMPLES
    )
    return "".join(lines) + "{facts} " + ask


_QUESTIONS = ("{facts} Who was born closest to {probe}?", "{facts} Who was born in {probe}?")
_PAPER = [f"{question} Answer with a single name." for question in _QUESTIONS]
_BEGUN = ("The person born closest to {probe} was", "The person born in {probe} was")
TEMPLATES: dict[str, Template] = {
    "chat": Template(_PAPER[0], _PAPER[1], True, "", "the paper's wording, in the model's chat template"),
    "paper": Template(_PAPER[0], _PAPER[1], False, " ", "the paper's wording, as plain text"),
    "question": Template(
        f"Question: {_QUESTIONS[0]}\nAnswer:", f"Question: {_QUESTIONS[1]}\nAnswer:", False, " ",
        "question and answer, as plain text",
    ),
    "completion": Template(
        f"{{facts}} {_BEGUN[0]}", f"{{facts}} {_BEGUN[1]}", False, " ", "a sentence to be completed"
    ),
    "examples": Template(
        _shown(_BEGUN[0], False), _shown(_BEGUN[1], True), False, " ", "a sentence to be completed, after four that are"
    ),
}  # fmt: skip


def matched(
    tokens: Callable[[str], Sequence[int]], least: int, lead: str = " ", *, most: int | None = None,
    pool: Sequence[str] = NAMES,
) -> list[str]:  # fmt: skip
    """Names of equal length: those that are one token, or else as many tokens as most are; none a part of another.

    Both as they begin an answer (after `lead`) and after a space, as in the facts. Of two names of which one holds the
    other, without regard to case, the longer is left out.

    Args:
        tokens: what the model's tokenizer makes of a text.
        least: how many are needed.
        lead: what is between prompt and answer.
        most: how many are wanted, spread evenly over those that fit; as many as are needed if not given.
        pool: names to choose from.

    Raises:
        ValueError: there aren't so many.

    Example:
        >>> from semres_jax.measure.language import wording
        >>> wording.matched(lambda text: list(text.strip()), 2, pool=["Al", "Alan", "Ed", "Zoe"])
        ['Al', 'Ed']
    """
    begin = 2 * len(tokens(" a")) - len(tokens(" a a"))  # tokens before every text
    plain = [name for name in pool if not any(other != name and other.lower() in name.lower() for other in pool)]
    lengths = {name: (len(tokens(lead + name)) - begin, len(tokens(" " + name)) - begin) for name in plain}
    often = list(lengths.values())
    sizes = sorted(set(often), key=lambda size: (size != (1, 1), -often.count(size), size))
    # One token wherever there are enough of them.
    alike = next((some for size in sizes if len(some := [x for x in plain if lengths[x] == size]) >= least), None)
    if alike is None:
        largest = max(map(often.count, sizes), default=0)
        raise ValueError(
            f"{least} names of one length are needed, and this tokenizer has {largest} of these; ask for fewer items"
        )
    wanted = min(len(alike), max(least, most or least))
    return [alike[k * len(alike) // wanted] for k in range(wanted)]


def prompts(trials: Trials, template: Template, chat: Callable[[str], str] | None = None) -> list[str]:
    """The texts that are shown to the model, up to the answer.

    Args:
        trials: T of them.
        template: one of `TEMPLATES`.
        chat: puts a user's message into the model's chat template, up to where the reply begins.

    Raises:
        ValueError: a chat template is needed and there is none.

    Example:
        >>> import jax
        >>> from semres_jax.measure.language import wording, year_task
        >>> trials = year_task.pairs([20], 1, ["Ann", "Bob"], key=jax.random.key(3))
        >>> wording.prompts(trials, wording.TEMPLATES["completion"])[0]
        'Bob was born in 1527. Ann was born in 1567. The person born closest to 1298 was'
    """
    if template.chat and chat is None:
        raise ValueError("this model has no chat template; use a template of plain text, such as completion")
    text = template.exact if trials.task == "identify" else template.closest
    texts = []
    for k in range(len(trials.probe)):
        here = range(trials.n[k])
        facts = _said([(trials.names[trials.name[k, j]], int(trials.year[k, j])) for j in here])
        message = text.format(facts=facts, probe=int(trials.probe[k]))
        texts.append(chat(message) if template.chat and chat is not None else message)
    return texts


def answers(trials: Trials, template: Template) -> list[list[str]]:
    """What may follow each prompt: the lead and a name, in the order of presentation."""
    return [[template.lead + trials.names[i] for i in row[row >= 0]] for row in trials.name]
