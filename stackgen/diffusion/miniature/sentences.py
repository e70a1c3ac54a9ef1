"""`sentences_of`: what the miniature is trained to draw, in words."""

from __future__ import annotations

from dataclasses import dataclass

from stackwalls.model import imagenet_classes
from stackwalls.stackgen.prompts.prompt import noun_of, prompt_for
from stackwalls.stackgen.prompts.sentences import TEMPLATES


@dataclass(frozen=True)
class Sentences:
    """The prompts of one class.

    Attributes:
        single: for pictures of one animal.
        stacked: for two, one on top of the other: every template of `stackgen prompts` for walls of rows.
    """

    single: tuple[str, ...]
    stacked: tuple[str, ...]


def sentences_of(label: int) -> Sentences:
    """The prompts of a class (ImageNet-1k index): by its clearer noun and, as in the paper, by its bare name."""
    noun, name = noun_of(label), imagenet_classes()[label].name
    single = (f"A photo of {noun.article} {noun.text}.", f"A photo of {name}.")
    stacked = [
        prompt_for(label, attempt, template).text
        for template, sentences in TEMPLATES.items()
        for attempt in range(len(sentences.rows))
    ]
    return Sentences(tuple(dict.fromkeys(single)), tuple(stacked))
