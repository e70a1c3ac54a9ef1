"""The prompt templates: the paper's sentence, and refined ones that state number, arrangement and distance."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Template:
    """Sentences that the attempts use in turn.

    In a sentence, `{animal}` is the noun, `{a}` the noun with its article, and `{things}` "animals", or "objects" for
    other classes.

    Attributes:
        rows: for walls of rows: one animal above the other.
        columns: for walls of columns: side by side; may be empty.
        by_class_name: use the plain ImageNet name, as in the paper, instead of the unambiguous noun.
    """

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    by_class_name: bool = False


_STACKED = (
    "A photo of {a} stacked on top of another {animal}, exactly two {things} of the same kind, one directly above "
    "the other, both fully visible, close-up filling the frame, plain background.",
    "Vertical close-up photo of {a} standing on the back of a second, identical {animal}. Two {things} only, tightly "
    "framed, plain blurred background, natural light.",
    "A tower of two: one {animal} on top and one {animal} directly below it, photographed from the side, the same "
    "size, filling the whole picture, soft grey studio background.",
    "Studio photo, portrait format: in the upper half {a}, sitting on the {animal} in the lower half. Two {things}, "
    "equally large, seamless backdrop.",
    "Wildlife magazine photo of {a} lying on top of another {animal}, the two touching, both seen whole and "
    "very close, nothing else in the picture.",
    "{a} balancing on {a}, stacked vertically, two {things} in all, full bodies, edge to edge in the frame, out of "
    "focus background.",
)

_SIDE_BY_SIDE = (
    "A photo of {a} next to another {animal}, exactly two {things} of the same kind, side by side and touching, both "
    "fully visible, close-up filling the frame, plain background.",
    "Close-up photo of two {things} side by side: {a} on the left and a second, identical {animal} on the right, "
    "tightly framed, plain blurred background, natural light.",
    "A pair: one {animal} on the left and one {animal} on the right, next to each other, photographed from the front, "
    "the same size, filling the whole picture, soft grey studio background.",
    "Studio photo, landscape format: in the left half {a}, leaning on the {animal} in the right half. Two {things}, "
    "equally large, seamless backdrop.",
    "Wildlife magazine photo of {a} beside another {animal}, the two touching, both seen whole and very "
    "close, nothing else in the picture.",
    "{a} and {a} next to each other, shoulder to shoulder, two {things} in all, full bodies, edge to edge in the "
    "frame, out of focus background.",
)

TEMPLATES: dict[str, Template] = {
    "refined": Template(rows=_STACKED, columns=_SIDE_BY_SIDE),
    "paper": Template(rows=("A photo of {animal} stacked on top of {animal}.",), columns=(), by_class_name=True),
}
"""Name → sentences. `paper`: Taimeskhanov, Sicre, Garreau (ECML PKDD 2024, arXiv 2404.01964), section 4.1, before
they were refined with a chat model; those are not published. `refined`, the default, is this project's."""
