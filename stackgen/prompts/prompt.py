"""`TEMPLATES`; `prompt_for`: the prompt for a class, an attempt and a wall."""

import difflib
from dataclasses import dataclass

from stackwalls.model import VGG16_WALL, Band, InputError, Wall
from stackwalls.stackgen.prompts.noun import IMAGENET_NOUNS, Noun, Nouns

PLACEHOLDER = "{animal}"  # stands for the noun in a custom sentence


@dataclass(frozen=True)
class Template:
    """Sentences that the attempts use in turn.

    In a sentence, `{animal}` is the noun, `{a}` the noun with its article, and `{things}` "animals", or "objects" for
    other classes.
    """

    rows: tuple[str, ...]  # for walls of rows: one animal above the other
    columns: tuple[str, ...]  # for walls of columns: side by side; may be empty
    by_class_name: bool = False  # use the plain ImageNet name, as in the paper, instead of the unambiguous noun


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
"""Name → sentences. `paper`: Taimeskhanov, Sicre, Garreau (ECML PKDD 2024, arXiv 2404.01964), section 3.2, before
ChatGPT refined them; the refined ones are not published. `refined`, the default, is this project's."""


@dataclass(frozen=True)
class Prompt:
    """The prompt of one attempt."""

    text: str
    nouns: tuple[str, ...]  # what a detector looks for in the frame, the specific word first: ("Border terrier", "dog")


def prompt_for(
    label: int, attempt: int, template: str = "refined", wall: Wall = VGG16_WALL, nouns: Nouns = IMAGENET_NOUNS
) -> Prompt:
    """The prompt for one attempt at a class.

    Few-step models keep their composition if only the seed changes, so attempt `i` uses sentence `i` of the template,
    modulo their number. Walls of rows ask for one animal on top of the other, walls of columns for two side by side.

    Args:
        label: index of the class.
        attempt: 0 for the first.
        template: a name in `TEMPLATES`, or a custom sentence with `{animal}` in it.
        wall: a band, whose axis decides how the two should be placed.
        nouns: what the classes are called.

    Raises:
        InputError: if the class, attempt or template is invalid, or the template has no sentences for the wall.
    """
    if attempt < 0:
        raise InputError(f"Expected an attempt of 0 or more, but got {attempt}.")
    sentences = check_template(template, wall)
    noun = nouns.of(label)
    words = (noun.text,) if noun.kind is None else (noun.text, noun.kind)
    if template in TEMPLATES and TEMPLATES[template].by_class_name and not nouns.own:
        noun = Noun(nouns.classes.names[label], noun.kind)
    text = sentences[attempt % len(sentences)].replace("{a}", f"{noun.article} {noun.text}")
    text = text.replace(PLACEHOLDER, noun.text).replace("{things}", "objects" if noun.kind is None else "animals")
    return Prompt(text[:1].upper() + text[1:], words)


def band_of(wall: Wall) -> Band:
    """The band of rows or columns that divides two things in a frame, one of which it hides.

    Raises:
        InputError: if the dead zone has another form.
    """
    if wall.band is None:
        raise InputError(
            f"The wall {wall} is not a band of rows or columns, behind which one of two things can be hidden: choose a "
            "band such as bottom:54, or make the set with `stackgen mix`, which takes any wall."
        )
    return wall.band


def check_template(template: str, wall: Wall) -> tuple[str, ...]:
    """The sentences of a template for a wall, at least one.

    Raises:
        InputError: if the template is unknown, or has no sentences for the wall; or as `band_of`.
    """
    band = band_of(wall)
    if PLACEHOLDER in template:
        return (template,)
    if template not in TEMPLATES:
        near = difflib.get_close_matches(template, TEMPLATES, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        known = f"{' or '.join(TEMPLATES)}, or a sentence with {PLACEHOLDER} in it"
        raise InputError(f"Unknown template {template!r}: expected {known}.{hint}")
    found = TEMPLATES[template]
    sentences = found.rows if band.axis == "rows" else found.columns
    if not sentences:
        raise InputError(
            f"The template {template!r} asks for one animal on top of the other, but the wall {wall} separates left "
            "from right: use the template 'refined', which asks for two side by side."
        )
    return sentences
