"""`prompt_for`: the sentence that a text-to-image model gets for a class, an attempt and a wall."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from stackwalls.model import VGG16_WALL, InputError, Wall, imagenet_classes
from stackwalls.stackgen.prompts.nouns import Noun, noun_of
from stackwalls.stackgen.prompts.sentences import TEMPLATES, Template

PLACEHOLDER = "{animal}"
"""What stands for the noun in a sentence of one's own."""


@dataclass(frozen=True)
class Prompt:
    """What one attempt asks for.

    Attributes:
        text: the sentence.
        template: the name of the template, or the sentence of one's own that it was made from.
        nouns: what a detector looks for afterwards, the specific word first: ("Border terrier", "dog").
    """

    text: str
    template: str
    nouns: tuple[str, ...]


def prompt_for(label: int, attempt: int, template: str = "refined", wall: Wall = VGG16_WALL) -> Prompt:
    """The prompt of a class for one attempt.

    Few-step models keep their composition when only the seed changes, so the refined sentences change with the
    attempt: attempt `i` takes sentence `i` modulo their number. Walls of rows ask for one animal on top of the other,
    walls of columns for two side by side; on which end the wall stands does not matter.

    Args:
        label: ImageNet-1k index, 0 to 999. Outside the animals (0 to 397) the class name is the noun.
        attempt: 0 for the first.
        template: a name in `TEMPLATES`, or a sentence of one's own with `{animal}` in it.
        wall: whose axis says how the two should lie.

    Raises:
        InputError: if the class, the attempt or the template is none, or the template has no form for the wall.
    """
    if attempt < 0:
        raise InputError(f"Expected an attempt of 0 or more, but got {attempt}.")
    sentences = check_template(template, wall)
    noun = noun_of(label)
    nouns = (noun.text,) if noun.kind is None else (noun.text, noun.kind)
    named = TEMPLATES.get(template, _OWN)
    shown = Noun(imagenet_classes()[label].name, noun.kind) if named.by_class_name else noun
    return Prompt(_fill(sentences[attempt % len(sentences)], shown), template, nouns)


def check_template(template: str, wall: Wall) -> tuple[str, ...]:
    """The sentences of a template for a wall, at least one.

    Raises:
        InputError: if the template is unknown (the message names the nearest), or has no form for the wall.
    """
    if PLACEHOLDER in template:
        return (template,)
    if template not in TEMPLATES:
        near = difflib.get_close_matches(template, TEMPLATES, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise InputError(
            f"Unknown template {template!r}: expected {' or '.join(TEMPLATES)}, or a sentence with {PLACEHOLDER} in "
            f"it.{hint}"
        )
    found = TEMPLATES[template]
    sentences = found.rows if wall.axis == "rows" else found.columns
    if not sentences:
        raise InputError(
            f"The template {template!r} puts one animal on top of the other, but the wall {wall} divides left from "
            "right: use the template 'refined', which puts them side by side."
        )
    return sentences


_OWN = Template(rows=(), columns=())
"""A sentence of one's own takes the clearer noun."""


def _fill(sentence: str, noun: Noun) -> str:
    """The sentence with its words, its first letter large; braces that are no placeholder stay."""
    text = sentence.replace("{a}", f"{noun.article} {noun.text}").replace(PLACEHOLDER, noun.text)
    text = text.replace("{things}", "objects" if noun.kind is None else "animals")
    return text[:1].upper() + text[1:]
