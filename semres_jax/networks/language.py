"""Language models from files: a GGUF file, or a folder as Hugging Face has it."""

from pathlib import Path

from semres_jax._files import shown
from semres_jax.networks.llama.language_model import LanguageModel as LanguageModel


def load(path: str | Path) -> LanguageModel:
    """The language model in a GGUF file, or in a folder with config.json, weights (.safetensors) and tokenizer.json.

    Quantised numbers become float32, as the package gguf has it. The extra `llm` is needed.

    Raises:
        FileNotFoundError: no such file or folder, or a folder without one of these files.
        ImportError: a package of the extra `llm` is missing.
        ValueError: another architecture than Llama's and Gemma 3's; truncated or corrupt; weights that are missing, of
            another shape, or not finite; a tokenizer or positions of a kind that is not known.

    Example:
        >>> from semres_jax.networks import language
        >>> language.load("no-such.gguf")
        Traceback (most recent call last):
        FileNotFoundError: no language model 'no-such.gguf': neither a GGUF file nor a folder with config.json
    """
    path = Path(path)
    try:
        there, folder = path.exists(), path.is_dir()
    except (OSError, ValueError) as error:  # a null byte in it, too long a name
        raise ValueError(f"cannot look at the language model {shown(path)!r}: {shown(error)}") from None
    if folder:
        from semres_jax.networks.llama import from_folder

        return from_folder.load(path)
    if not there:
        raise FileNotFoundError(f"no language model {shown(path)!r}: neither a GGUF file nor a folder with config.json")
    from semres_jax.networks.llama import from_gguf

    return from_gguf.load(path)
