"""The words for a class: what a text-to-image model understands, and what kind of animal a detector may look for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

from stackwalls.model import InputError, imagenet_classes


@dataclass(frozen=True)
class Noun:
    """How a class is called.

    Attributes:
        text: the noun that stands for the class by itself: "rooster" for cock, "crane bird", "boxer dog".
        kind: a common word that covers it ("bird", "dog"), which detectors know best; None outside the animals.
    """

    text: str
    kind: str | None

    @property
    def article(self) -> str:
        """The indefinite article by sound: "a" or "an"."""
        word = self.text.lower()
        if word.startswith(("eu", "uni", "u-", "one")):
            return "a"
        return "an" if word.startswith(("a", "e", "i", "o", "u", "hour")) else "a"


def noun_of(label: int) -> Noun:
    """The noun of an ImageNet-1k class: from `animals.tsv` for the 398 animals, else the class name as it stands.

    Raises:
        InputError: if `label` is no index from 0 to 999.
    """
    if not 0 <= label < len(imagenet_classes()):
        raise InputError(f"Expected a class index from 0 to {len(imagenet_classes()) - 1}, but got {label}.")
    entry = imagenet_classes()[label]
    return _table().get(entry.synset, Noun(entry.name, None))


@lru_cache(maxsize=1)
def _table() -> dict[str, Noun]:
    text = resources.files("stackwalls.stackgen.prompts").joinpath("animals.tsv").read_text(encoding="utf-8")
    rows = (line.split("\t") for line in text.splitlines()[1:])
    return {synset: Noun(noun, kind) for synset, _, noun, kind in rows}
