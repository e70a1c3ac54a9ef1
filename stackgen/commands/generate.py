"""Make a STACK-GEN set: a text-to-image model draws two animals, and a crop puts one of them behind the wall.

A frame in which the two are not found, or lie so that no crop does, is turned down with its reason; another is drawn
from another seed and another sentence. A run that was stopped goes on when the command is repeated. With more classes,
images a class or attempts, a finished folder grows, and what is there stays. Any number of processes share the work:
  torchrun --nproc_per_node 8 -m stackwalls.stackgen generate …    (or accelerate launch, srun, a SLURM array)

PRESET is one of
  auto          klein, where there is a GPU and its weights are in the cache or on a hub in reach; else mini
  klein         FLUX.2-klein-4B, 4 steps (Apache-2.0)           zimage-turbo  Z-Image-Turbo, 8 steps (Apache-2.0)
  zimage        Z-Image, 50 steps (Apache-2.0)                  qwen          Qwen-Image-2512, 50 steps (Apache-2.0)
  sdxl          Stable Diffusion XL (OpenRAIL++-M)              sd15          Stable Diffusion 1.5 (OpenRAIL-M)
  mini          drawings of some animals, on any computer, offline: its weights are part of this package (Apache-2.0)

MODEL takes its place: an id on the Hugging Face Hub or a folder, whatever diffusers' DiffusionPipeline loads from
safetensors without code of its own.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stackwalls.hub_cards import Manifest
    from stackwalls.model import Launch
    from stackwalls.stackgen.diffusion import ModelSource, Placement, TextToImage
    from stackwalls.stackgen.generation import GenerateSpec
    from stackwalls.stackgen.localising.localizer import Localizer

RESUMES = True
"""A run that was stopped goes on where it was."""

_CLASSES = 100
"""As many as the paper has; all of a model that draws fewer."""

_LOCALIZER = "owlv2"
"""What finds the animals in the frames of a model of one's own."""

_NAMED = 10
"""So many images that could not be made are named on the terminal."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add = parser.add_argument
    add(
        "--classes",
        nargs="+",
        metavar="N|CLASS",
        help="a number: so many animals, sampled by the seed (default 100); or the classes by synset, name or index:7; "
        "or a dataset, here or on the Hub, for its classes",
    )
    add("--per-class", type=int, default=1, metavar="K", help="images of each class (default 1)")
    add("--seed", type=int, default=0, help="what the classes and all frames follow from (default 0)")
    add("--wall", default="bottom:54", metavar="WALL", help="the dead zone (default bottom:54, VGG16's)")
    add("--preset", default="auto", metavar="PRESET", help="the text-to-image model (default auto; see above)")
    add("--model", metavar="MODEL", help="another one, in place of a preset (see above)")
    add("--revision", metavar="REV", help="branch, tag or commit of the model on the Hub")
    add(
        "--template",
        default="refined",
        metavar="NAME",
        help="of the prompts: refined (default), paper, or a sentence with {animal} in it (`stackgen prompts`)",
    )
    add("--attempts", type=int, default=8, metavar="N", help="most frames that are drawn for one image (default 8)")
    add(
        "--localizer",
        metavar="NAME",
        help="what finds the animals: owlv2 (default), owlv2-large, grounding-dino, foreground (no weights, for plain "
        "backgrounds; mini's default), or a folder or an id on the Hub",
    )
    add("--steps", type=int, metavar="N", help="of the sampler (default: the preset's)")
    add("--guidance", type=float, metavar="X", help="how strongly the prompt guides (default: the preset's)")
    add("--size", metavar="WxH", help="of the frames in pixels (default: the preset's)")
    add("--batch-size", type=int, default=1, metavar="N", help="frames drawn at once (default 1; part of the settings)")
    add("--compile", action="store_true", help="compile the model; worth it for 50 images and more")
    add("--attention", metavar="NAME", help="an attention back end of diffusers, such as flash or sage")
    add("--dtype", metavar="TYPE", help="float32, bfloat16 or float16 (default: what the device is good at)")
    add("--offload", metavar="HOW", help="none, model or sequential (default: what the GPU's free memory asks for)")
    add("--redo-rejected", action="store_true", help="make new attempts for what `stackgen review` turned down")
    add("--out", type=Path, default=Path("stack-gen"), metavar="DIR", help="the dataset folder (default stack-gen)")
    add("--json", action="store_true", help="print what was made as JSON")


def run(args: argparse.Namespace) -> int:
    """Make this process's share of the set, and say where it is."""
    import sys
    from dataclasses import replace

    from stackwalls.model import Launch
    from stackwalls.stackgen.diffusion import find_device, find_model
    from stackwalls.stackgen.generation import generate
    from stackwalls.stackgen.localising.zero_shot import load_localizer

    launch = Launch.of()
    asked = _asked(args)
    device = find_device(launch.local_rank)
    source = find_model(args.preset, args.model, args.revision, device)
    if args.classes is None and source.synsets is not None:
        asked = replace(asked, classes=min(_CLASSES, len(source.synsets)))
    placement = _placement(args, source, device)
    name = args.localizer or (source.preset.localizer if source.preset else _LOCALIZER)
    localizer = load_localizer(name, device)
    spec = _spec(asked, source, placement, _public_name(name), localizer)
    if launch.rank == 0:
        _say_instead(asked, spec)
        _say_non_animals(spec)
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
    if manifest is None:
        print(f"stackgen: {_waiting(args.out, launch)}", file=sys.stderr)
        return 0
    print(_json(args.out, manifest) if args.json else _report(args.out, manifest))
    return 0


def _asked(args: argparse.Namespace) -> GenerateSpec:
    """What the options say, without a model yet: a wrong one is said before anything is looked up or downloaded."""
    from stackwalls.model import Wall
    from stackwalls.stackgen.commands.mix import parse_classes_option
    from stackwalls.stackgen.diffusion import Call, ModelSource, parse_size
    from stackwalls.stackgen.generation import GenerateSpec

    width, height = parse_size(args.size) if args.size else (None, None)
    return GenerateSpec(
        model=ModelSource("", "", ""),
        call=Call(args.steps, args.guidance, width, height),
        dtype="",
        localizer="",
        classes=_CLASSES if args.classes is None else parse_classes_option(args.classes) or _CLASSES,
        per_class=args.per_class,
        seed=args.seed,
        wall=Wall.parse(args.wall),
        template=args.template,
        attempts=args.attempts,
        batch_size=args.batch_size,
        compiled=args.compile,
        attention=args.attention,
    )


def _spec(
    asked: GenerateSpec, source: ModelSource, placement: Placement, name: str, localizer: Localizer
) -> GenerateSpec:
    """The same with the model and the localizer that were found."""
    from dataclasses import replace

    from stackwalls.stackgen.diffusion import complete_call

    call = complete_call(asked.call, source, landscape=asked.wall.axis == "columns")
    return replace(
        asked,
        model=source,
        call=call,
        dtype=placement.dtype,
        localizer=name,
        localizer_revision=localizer.revision,
    )


def _placement(args: argparse.Namespace, source: ModelSource, device: str) -> Placement:
    from stackwalls.stackgen.diffusion import place

    return place(device, source.preset.dtype if source.preset else None, args.dtype)


def _load(args: argparse.Namespace, spec: GenerateSpec, placement: Placement) -> TextToImage:
    """Load the model and say on stderr what runs where."""
    import sys

    from stackwalls.stackgen.diffusion import TextToImage

    model = TextToImage.load(
        spec.model, spec.call, placement, offload=args.offload, compiled=spec.compiled, attention=spec.attention
    )
    print(f"stackgen: {model.described}.", file=sys.stderr)
    return model


def _public_name(localizer: str) -> str:
    """A localizer's name without the place of a folder here."""
    return Path(localizer).resolve().name if Path(localizer).is_dir() else localizer


def _say_instead(asked: GenerateSpec, spec: GenerateSpec) -> None:
    """Loudly, where `auto` is not what it means elsewhere."""
    import sys

    if spec.model.instead is None:
        return
    fewer = ""
    if isinstance(asked.classes, int) and len(spec.entries()) < asked.classes:
        fewer = f" It draws {len(spec.entries())} animals, so these are made instead of {asked.classes}."
    print(
        f"stackgen: NO PHOTOGRAPHS: {spec.model.instead}, so the miniature of this package makes drawings.{fewer} For "
        "photographs run where there is a GPU and the Hugging Face Hub or its cache, or name a model (--preset sd15 is "
        "the smallest; on a CPU it takes minutes an image).",
        file=sys.stderr,
    )


def _say_non_animals(spec: GenerateSpec) -> None:
    import sys

    others = [entry.name for entry in spec.entries() if not entry.is_animal]
    if others:
        shown = ", ".join(others[:5]) + (", …" if len(others) > 5 else "")
        print(
            f"stackgen: {len(others)} of the classes are no animals ({shown}); the prompts take their plain names.",
            file=sys.stderr,
        )


def _waiting(out: Path, launch: Launch) -> str:
    return (
        f"process {launch.rank} of {launch.world} has made its share of {out}; the process that ends last finishes the "
        "folder. If none is running any more, run the same command again."
    )


def _json(out: Path, manifest: Manifest) -> str:
    import json

    return json.dumps({"out": str(out), "spec": manifest.spec, "counts": manifest.counts, "inputs": manifest.inputs})


def _report(out: Path, manifest: Manifest) -> str:
    counts, spec, inputs = manifest.counts, manifest.spec, manifest.inputs
    given_up = inputs["given_up"]
    lines = [
        f"{out}: {counts['kept']} of {counts['requested']} images, wall {spec['wall']}, by {spec['model']['name']} in "
        f"{inputs['attempts']} attempts, seed {spec['seed']}."
    ]
    if counts["rejected"]:
        lines.append(f"Why {counts['rejected']} attempts were turned down stands in {out / 'rejected.parquet'}.")
    if given_up:
        more = f" and {len(given_up) - _NAMED} more" if len(given_up) > _NAMED else ""
        lines += [
            f"Given up after {spec['attempts']} attempts each: {', '.join(map(_spelled, given_up[:_NAMED]))}{more}.",
            f"Try further: the same command with --attempts {2 * spec['attempts']}; the rest stays.",
        ]
    lines += [
        f"Look at it:  stackgen review {out}",
        f"Go on:       stackgen evaluate {out} --model walled:tf_efficientnet_lite0 --out results",
    ]
    return "\n".join(lines)


def _spelled(image_id: str) -> str:
    """`goldfish (n01443537_00000)`."""
    from stackwalls.model import parse_class

    return f"{parse_class(image_id.partition('_')[0]).name} ({image_id})"
