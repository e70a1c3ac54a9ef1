"""Print the prompts for a text-to-image model, and the nouns for finding the animals in its frames.

One line per class and attempt, separated by tabs: index, class, attempt, prompt, and what a detector looks for.
Attempts use the sentences of a template in turn, because few-step models keep their composition if only the seed
changes.

TEMPLATE is one of
  refined       sentences that state number, arrangement and distance (default); side by side for walls of columns
  paper         the paper's sentence, with the plain class name: 'A photo of cock stacked on top of cock.'
  a sentence    of your own with {animal} in it: 'Two {animal} toys, one on top of the other.'
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

import stackwalls.stackgen.commands._options as options

if TYPE_CHECKING:
    from stackwalls.model import ImageNetClass


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add = parser.add_argument
    classes = "classes by synset, name or index:7; or a dataset, to use its classes (default: the 398 animals)"
    add("--classes", nargs="+", metavar="CLASS", help=classes)
    add("--preset", metavar="PRESET", help="without --classes: the classes that this model can draw")
    add("--template", default="refined", metavar="TEMPLATE", help="see above (default refined)")
    add("--attempts", type=int, default=1, metavar="N", help="attempts per class (default 1)")
    options.add_shared(parser, wall="", json="a list of objects")


def run(args: argparse.Namespace) -> int:
    """Print the prompts."""
    from stackwalls.model import InputError
    from stackwalls.stackgen.prompts.prompt import prompt_for

    if args.attempts < 1:
        raise InputError(f"Expected --attempts of 1 or more, but got {args.attempts}.")
    wall = options.parse_wall(args.wall)
    rows: list[dict[str, Any]] = []
    for entry in _classes(args.classes, args.preset):
        for attempt in range(args.attempts):
            prompt = prompt_for(entry.index, attempt, args.template, wall)
            known = {"index": entry.index, "synset": entry.synset, "class": entry.name, "attempt": attempt}
            rows.append(known | {"prompt": prompt.text, "nouns": list(prompt.nouns)})
    line = "{index}\t{class}\t{attempt}\t{prompt}\t{nouns}"
    lines = [line.format_map(row | {"nouns": ", ".join(row["nouns"])}) for row in rows]
    options.print_result(args, rows, "\n".join(lines))
    return 0


def _classes(values: list[str] | None, preset: str | None) -> tuple[ImageNetClass, ...]:
    from stackwalls.model import InputError, animals, parse_classes
    from stackwalls.stackgen.diffusion import MINIATURE, find_preset
    from stackwalls.stackgen.diffusion.miniature.spec import miniature_synsets

    drawn = preset is not None and find_preset(preset).name == MINIATURE
    asked = options.parse_classes_option(values)
    if asked is None:
        return parse_classes(miniature_synsets()) if drawn else animals()
    if isinstance(asked, int):
        raise InputError(
            f"`stackgen generate` decides which {asked} classes are sampled: name the classes here (an index is "
            f"written index:{asked}), or leave out --classes for all 398 animals."
        )
    return parse_classes(asked)
