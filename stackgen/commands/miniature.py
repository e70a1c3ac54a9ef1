"""Train the miniature text-to-image model, the one behind `--preset mini`, on drawn animals.

Draws frames of one animal and of two stacked, fits a linear encoder to them, trains a small decoder, and a text encoder
with a small denoiser; `OUT/pipeline` is then a folder that diffusers loads, and `stackgen generate --model` takes. A
run that was stopped goes on when the command is repeated. Decoder and denoiser do not wait for each other: with
--stage they run side by side, and each on several GPUs:
  accelerate launch --num_processes 8 -m stackwalls.stackgen miniature --stage denoiser …
"""

from __future__ import annotations

import argparse
from pathlib import Path

RESUMES = True
"""A run that was stopped goes on where it was."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add = parser.add_argument
    add(
        "--classes",
        nargs="+",
        metavar="N|CLASS",
        help="a number: so many animals, sampled by the seed; or which, by synset, name or index:7; or a dataset, for "
        "its classes (default: those of the miniature in this package)",
    )
    add("--per-class", type=int, default=320, metavar="N", help="frames drawn of each (default 320)")
    add("--decoder-steps", type=int, default=3_000, metavar="N", help="of 16 crops a process (default 3000)")
    add("--denoiser-steps", type=int, default=6_000, metavar="N", help="of --batch-size frames (default 6000)")
    add("--batch-size", type=int, default=64, metavar="N", help="over all processes (default 64)")
    add("--learning-rate", type=float, default=1.2e-3, metavar="X", help="the highest (default 0.0012)")
    add("--seed", type=int, default=0, help="what the weights and the noise follow from (default 0)")
    add(
        "--stage",
        nargs="+",
        metavar="STAGE",
        help="frames, decoder, denoiser, pipeline, in this order (default: all of them)",
    )
    add("--out", type=Path, default=Path("miniature"), metavar="DIR", help="where to write (default miniature)")


def run(args: argparse.Namespace) -> int:
    """Run the stages, and say where the pipeline is."""
    import sys

    from stackwalls.model import InputError, Launch
    from stackwalls.stackgen.diffusion.miniature import STAGES, MiniatureSpec, make_miniature

    stages = STAGES if args.stage is None else tuple(args.stage)
    if unknown := [stage for stage in stages if stage not in STAGES]:
        raise InputError(f"Unknown stage {unknown[0]!r}: expected {', '.join(STAGES)}.")
    spec = MiniatureSpec(
        classes=_classes(args.classes, args.seed),
        per_class=args.per_class,
        seed=args.seed,
        decoder_steps=args.decoder_steps,
        denoiser_steps=args.denoiser_steps,
        batch_size=args.batch_size,
        learning_rate=args.learning_rate,
    )
    make_miniature(spec, args.out, stages, lambda line: print(f"stackgen: {line}", file=sys.stderr, flush=True))
    if "pipeline" in stages and Launch.of().rank == 0:
        print(f"{args.out / 'pipeline'}: draws {len(spec.classes)} animals.")
        print(f"Go on:  stackgen generate --model {args.out / 'pipeline'} --localizer foreground --out stack-gen")
    return 0


def _classes(values: list[str] | None, seed: int) -> tuple[str | int, ...]:
    from stackwalls.model import animals, class_order
    from stackwalls.stackgen.commands._options import parse_classes_option
    from stackwalls.stackgen.diffusion.miniature import miniature_synsets

    asked = parse_classes_option(values)
    if asked is None:
        return miniature_synsets()
    if isinstance(asked, int):
        return tuple(class_order((entry.synset for entry in animals()), seed)[:asked])
    return asked
