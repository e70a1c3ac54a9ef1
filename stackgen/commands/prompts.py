"""Print the prompts for a text-to-image model, and the nouns for finding the animals in its frames.

One line per class and attempt, separated by tabs: index, class, attempt, prompt, and what a detector looks for.
Attempts use the sentences of a template in turn, because few-step models keep their composition if only the seed
changes.

NOUNS, without which the classes are ImageNet's: a text file with one per line, or the nouns themselves, each `noun` or
`noun,class name` (without the name, the noun is the class's name): --nouns "red panda" violin "jay,Garrulus glandarius"

TEMPLATE is one of
  refined       sentences that state number, arrangement and distance (default); side by side for walls of columns
  paper         the paper's sentence, with the plain class name: 'A photo of cock stacked on top of cock.'
  a sentence    of your own with {animal} in it: 'Two {animal} toys, one on top of the other.'
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

import stackwalls.stackgen.commands._options as options
from stackwalls.stackgen.commands._nouns import add_nouns, parse_nouns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stackwalls.stackgen.prompts.noun import Nouns


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add = parser.add_argument
    classes = "classes by synset, name or index:7; or a dataset, to use its classes (default: the 398 animals)"
    add("--classes", nargs="+", metavar="CLASS", help=classes)
    add_nouns(parser)
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
    nouns, classes = parse_nouns(args)
    space, rows = nouns.classes, []
    for label in _labels(classes, args.preset, nouns):
        synset = {"synset": space.key(label)} if space.is_imagenet else {}
        for attempt in range(args.attempts):
            prompt = prompt_for(label, attempt, args.template, wall, nouns)
            known: dict[str, Any] = {"index": label, **synset, "class": space.names[label], "attempt": attempt}
            rows.append(known | {"prompt": prompt.text, "nouns": list(prompt.nouns)})
    line = "{index}\t{class}\t{attempt}\t{prompt}\t{nouns}"
    lines = [line.format_map(row | {"nouns": ", ".join(row["nouns"])}) for row in rows]
    options.print_result(args, rows, "\n".join(lines))
    return 0


def _labels(asked: int | tuple[str | int, ...] | None, preset: str | None, nouns: Nouns) -> Sequence[int]:
    from stackwalls.model import NUM_ANIMALS, InputError
    from stackwalls.stackgen.diffusion import MINIATURE, find_preset
    from stackwalls.stackgen.diffusion.miniature.spec import miniature_synsets

    drawn = preset is not None and find_preset(preset).name == MINIATURE
    if nouns.own and preset is not None:
        raise InputError(f"--preset {preset} lists the classes of a model, and --nouns are your own: leave one out.")
    if isinstance(asked, int):
        raise InputError(
            f"`stackgen generate` decides which {asked} classes are sampled: name the classes here (an index is "
            f"written index:{asked}), or leave out --classes for all {len(nouns.own) or '398 animals'}."
        )
    if asked is not None or drawn:
        return nouns.labels(miniature_synsets() if asked is None else asked)
    return range(len(nouns.own) or NUM_ANIMALS)
