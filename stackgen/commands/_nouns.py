"""`--nouns` and `--classes` of the commands that draw: whose classes, which of them, and what they are called."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import stackwalls.stackgen.commands._options as options

if TYPE_CHECKING:
    from stackwalls.stackgen.prompts.noun import Nouns


def add_nouns(parser: argparse.ArgumentParser) -> None:
    """Declare `--nouns`."""
    own = "classes of your own, by what to call them in a prompt: a text file, or the nouns (see above)"
    parser.add_argument("--nouns", nargs="+", metavar="FILE|NOUN", help=own)


def parse_nouns(args: argparse.Namespace) -> tuple[Nouns, int | tuple[str | int, ...] | None]:
    """What the classes are called, and which of them `--classes` asks for (as `parse_classes_option`).

    Without nouns they are ImageNet's, or those of the dataset that `--classes` names: by its nouns, or its names.
    """
    from stackwalls.stackgen.prompts.noun import IMAGENET_NOUNS, Nouns

    classes, nouns = options.parse_classes_option(args.classes), IMAGENET_NOUNS
    if dataset := options.dataset_of(args.classes):
        from stackwalls.hub_cards import dataset_manifest

        manifest = dataset_manifest(dataset)
        nouns = Nouns.of_spec(manifest.spec)
        if args.nouns and isinstance(classes, tuple):  # nouns are called by names
            classes = tuple(manifest.classes.names[index] for index in manifest.classes.parse_all(classes))
    return Nouns.parse(args.nouns) if args.nouns else nouns, classes
