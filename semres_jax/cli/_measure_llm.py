"""`semres measure llm`."""

import dataclasses
from pathlib import Path


@dataclasses.dataclass(frozen=True)
class MeasureLlm:
    """Measure llm."""

    out: Path = Path("results/measure")
    """Folder for the results; made if missing."""
    json: bool = False
    """End with one line of JSON on standard output."""

    def run(self) -> int:
        """Measure, print, write."""
        raise NotImplementedError
