"""Train the miniature text-to-image model, the one behind `--preset mini`, on drawn animals.

Draws frames of one animal and of two stacked, fits a linear encoder to them, and trains a small decoder, and a text
encoder with a small denoiser. diffusers and `stackgen generate --model` then load OUT/pipeline. A run that was stopped
resumes when the command is repeated. Decoder and denoiser do not wait for each other: with --stage they run side by
side, each on several GPUs if there are:
  accelerate launch --num_processes 8 -m stackwalls.stackgen miniature --stage denoiser …
"""

import argparse
from shlex import quote

import stackwalls.stackgen.commands._options as options
from stackwalls.stackgen.commands._settings import add_field_arguments, given_fields
from stackwalls.stackgen.diffusion.miniature.spec import MiniatureSpec, miniature_synsets


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    options.add_shared(parser, classes="those of the miniature in this package")
    add_field_arguments(parser, MiniatureSpec)
    stage = "run only these of frames, decoder, denoiser, pipeline, in this order"
    parser.add_argument("--stage", nargs="+", metavar="STAGE", help=stage)
    options.add_out(parser, "output folder", "miniature")


def run(args: argparse.Namespace) -> int:
    """Run the stages, and print where the pipeline is."""
    from stackwalls.model import InputError, Launch
    from stackwalls.stackgen.diffusion.miniature.making import STAGES, make_miniature

    stages = STAGES if args.stage is None else tuple(args.stage)
    if unknown := [stage for stage in stages if stage not in STAGES]:
        raise InputError(f"Unknown stage {unknown[0]!r}: expected {', '.join(STAGES)}.")
    given = given_fields(args, MiniatureSpec)
    spec = MiniatureSpec(_classes(args.classes, given.get("seed", 0)), **given)
    make_miniature(spec, args.out, stages, options.say)
    if "pipeline" in stages and Launch.of().rank == 0:
        pipeline = args.out / "pipeline"
        print(f"{pipeline}: draws {len(spec.classes)} animals.")
        print(f"Next:  stackgen generate --model {quote(str(pipeline))} --localizer foreground --out stack-gen")
    return 0


def _classes(values: list[str] | None, seed: int) -> tuple[str | int, ...]:
    from stackwalls.model import animals, class_order

    asked = options.parse_classes_option(values)
    if asked is None:
        return miniature_synsets()
    if isinstance(asked, int):
        return tuple(class_order((entry.synset for entry in animals()), seed)[:asked])
    return asked
