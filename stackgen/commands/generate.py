"""Make a STACK-GEN set: a text-to-image model draws two animals, and a crop puts one of them behind the wall.

A frame is rejected, with the reason, if the two animals are not found or no crop fits them; another one is drawn with
another seed and prompt. A run that was stopped resumes when the command is repeated. A finished folder grows with more
classes, images per class or attempts; existing images stay. Several processes can share the work:
  torchrun --nproc_per_node 8 -m stackwalls.stackgen generate …    (or accelerate launch, srun, a SLURM array)

PRESET is one of
  auto          klein, if there is a GPU and its weights are cached or the Hub can be reached; otherwise mini
  klein         FLUX.2-klein-4B, 4 steps (Apache-2.0)           zimage-turbo  Z-Image-Turbo, 8 steps (Apache-2.0)
  zimage        Z-Image, 50 steps (Apache-2.0)                  qwen          Qwen-Image-2512, 50 steps (Apache-2.0)
  sdxl          Stable Diffusion XL (OpenRAIL++-M)              sd15          Stable Diffusion 1.5 (OpenRAIL-M)
  mini          drawings of some animals, on any computer, offline: weights included in this package (Apache-2.0)

MODEL is any other model: an id on the Hugging Face Hub or a folder that diffusers' DiffusionPipeline loads from
safetensors without custom code.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import stackwalls.stackgen.commands._options as options

if TYPE_CHECKING:
    from stackwalls.hub_cards import Manifest
    from stackwalls.stackgen.diffusion import Placement, TextToImage
    from stackwalls.stackgen.generation.generate_spec import GenerateSpec
    from stackwalls.stackgen.localising.localizer import Localizer

_CLASSES = 100
"""As in the paper; all classes of a model that draws fewer."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add = parser.add_argument
    options.add_shared(parser, classes=f"{_CLASSES} of the 398 animals")
    add("--per-class", type=int, default=1, metavar="K", help="images per class (default 1)")
    options.add_shared(parser, seed="the classes and all frames", wall="")
    add("--preset", default="auto", metavar="PRESET", help="the text-to-image model (default auto; see above)")
    add("--model", metavar="MODEL", help="another model instead of a preset (see above)")
    add("--revision", metavar="REV", help="branch, tag or commit of the model on the Hub")
    template = "template of the prompts: refined (default), paper, or a sentence with {animal} in it"
    add("--template", default="refined", metavar="NAME", help=f"{template} (see `stackgen prompts`)")
    add("--attempts", type=int, default=8, metavar="N", help="maximum number of frames per image (default 8)")
    add(
        "--localizer",
        metavar="NAME",
        help="finds the animals: owlv2 (default), owlv2-large, grounding-dino, foreground (for plain backgrounds, "
        "without weights; default of mini), or a folder or an id on the Hub",
    )
    add("--steps", type=int, metavar="N", help="sampling steps (default: the preset's)")
    add("--guidance", type=float, metavar="X", help="guidance scale (default: the preset's)")
    add("--size", metavar="WxH", help="size of the frames in pixels (default: the preset's)")
    add("--batch-size", type=int, default=1, metavar="N", help="frames per call (default 1); changes last bits")
    add("--compile", action="store_true", help="compile the model; pays off from about 50 images")
    add("--attention", metavar="NAME", help="an attention backend of diffusers, such as flash or sage")
    add("--dtype", metavar="TYPE", help="float32, bfloat16 or float16 (default: the best that the device supports)")
    add("--offload", metavar="HOW", help="none, model or sequential (default: chosen by the GPU's free memory)")
    add("--redo-rejected", action="store_true", help="make new attempts for images rejected in `stackgen review`")
    options.add_out(parser, "dataset folder to write", "stack-gen")
    options.add_shared(parser, json="the result")


def run(args: argparse.Namespace) -> int:
    """Make this process's share of the set, and report where it is."""
    from stackwalls.model import Launch, find_device
    from stackwalls.stackgen.generation.generating import generate

    launch = Launch.of()
    asked = _asked(args)
    spec, placement, localizer = _found(args, asked, str(find_device("auto", launch.local_rank)))
    if launch.rank == 0:
        _warn(spec, asked.classes if args.classes else 0)
    with options.plain_warnings():
        manifest = generate(
            spec,
            args.out,
            frames=lambda: _load(args, spec, placement),
            localizer=localizer,
            hardware=placement.hardware,
            launch=launch,
            redo=args.redo_rejected,
            progress=True,
        )
    if manifest is not None:
        options.print_set(args, manifest, _lines(args.out, manifest))
        return 0
    share = f"process {launch.rank} of {launch.world} has made its share of {args.out}"
    finish = "the last process finishes the folder. If no other process is running, run the same command again."
    options.say(f"{share}; {finish}")
    return 0


def _asked(args: argparse.Namespace) -> GenerateSpec:
    """The options, not yet with a model, so that invalid ones fail before anything is looked up or downloaded."""
    from stackwalls.stackgen.diffusion import Call, ModelSource, parse_size
    from stackwalls.stackgen.generation.generate_spec import GenerateSpec

    width, height = parse_size(args.size) if args.size else (None, None)
    classes = options.parse_classes_option(args.classes)
    return GenerateSpec(
        model=ModelSource("", "", ""),
        call=Call(args.steps, args.guidance, width, height),
        dtype="",
        localizer="",
        classes=_CLASSES if classes is None else classes,
        wall=options.parse_wall(args.wall),
        compiled=args.compile,
        **options.values(args, "per_class", "seed", "template", "attempts", "batch_size", "attention"),
    )


def _found(args: argparse.Namespace, asked: GenerateSpec, device: str) -> tuple[GenerateSpec, Placement, Localizer]:
    """Find the model and the localizer, and complete the spec with them."""
    from dataclasses import replace

    from stackwalls.stackgen.diffusion import complete_call, find_model, place
    from stackwalls.stackgen.localising.zero_shot import load_localizer

    source = find_model(args.preset, args.model, args.revision, device)
    preset, synsets = source.preset, source.synsets
    placement = place(device, preset.dtype if preset else None, args.dtype)
    name = args.localizer or (preset.localizer if preset else "owlv2")
    localizer = load_localizer(name, device)
    spec = replace(
        asked,
        model=source,
        call=complete_call(asked.call, source, landscape=asked.wall.axis == "columns"),
        dtype=placement.dtype,
        localizer=Path(name).resolve().name if Path(name).is_dir() else name,  # a manifest names no local path
        localizer_revision=localizer.revision,
        classes=min(_CLASSES, len(synsets)) if args.classes is None and synsets is not None else asked.classes,
    )
    return spec, placement, localizer


def _load(args: argparse.Namespace, spec: GenerateSpec, placement: Placement) -> TextToImage:
    """Load the model and say on stderr what runs where."""
    from stackwalls.stackgen.diffusion import TextToImage

    how = {"offload": args.offload, "compiled": spec.compiled, "attention": spec.attention}
    model = TextToImage.load(spec.model, spec.call, placement, **how)
    options.say(f"{model.described}.")
    return model


def _warn(spec: GenerateSpec, asked: int | tuple[str | int, ...]) -> None:
    """Warn if the miniature replaces the default model, and about classes that are not animals."""
    from stackwalls.hub_cards.layout import listed

    classes = spec.entries()
    if spec.model.instead is not None:
        less = isinstance(asked, int) and len(classes) < asked
        fewer = f" It draws {len(classes)} animals instead of {asked}." if less else ""
        options.say(
            f"NO PHOTOGRAPHS: {spec.model.instead}, so the miniature in this package makes drawings.{fewer} For "
            "photographs, use a GPU and the Hugging Face Hub or its cache, or name a model (--preset sd15 is the "
            "smallest; on a CPU it takes minutes per image)."
        )
    if others := [entry.name for entry in classes if not entry.is_animal]:
        named = f"{len(others)} of the classes are not animals ({listed(others)})"
        options.say(f"{named}; their prompts use the plain class names.")


def _lines(out: Path, manifest: Manifest) -> list[str]:
    """What was made."""
    from stackwalls.hub_cards.layout import listed
    from stackwalls.model import parse_class

    counts, spec, inputs = manifest.counts, manifest.spec, manifest.inputs
    lines = [
        f"{out}: {counts['kept']} of {counts['requested']} images, wall {spec['wall']}, by {spec['model']['name']} in "
        f"{inputs['attempts']} attempts, seed {spec['seed']}."
    ]
    if counts["rejected"]:
        lines.append(f"{counts['rejected']} attempts were rejected; see {out / 'rejected.parquet'}.")
    if given_up := inputs["given_up"]:
        names = [f"{parse_class(image_id.partition('_')[0]).name} ({image_id})" for image_id in given_up]
        lines.append(f"Given up after {spec['attempts']} attempts each: {listed(names)}.")
        again = f"--attempts {2 * spec['attempts']}"
        lines.append(f"To try again, run the same command with {again}; existing images stay.")
    return lines
