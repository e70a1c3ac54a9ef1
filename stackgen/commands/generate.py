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

NOUNS make a set of your own classes instead of ImageNet's: a text file with one noun per line, or the nouns themselves,
each `noun` or `noun,class name` (without the name, the noun is the class's name), in the order of the labels:
  stackgen generate --nouns "red panda" violin "jay,Garrulus glandarius" --size 128 --out mine
All are drawn, or those of --classes. The folder grows with nouns that are added at the end.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import stackwalls.stackgen.commands._options as options
from stackwalls.stackgen.commands._cluster import add_cluster, cluster_of
from stackwalls.stackgen.commands._nouns import add_nouns, parse_nouns

if TYPE_CHECKING:
    from stackwalls.hub_cards import Manifest
    from stackwalls.model import Cluster
    from stackwalls.stackgen.diffusion import Placement, TextToImage
    from stackwalls.stackgen.generation.generate_spec import GenerateSpec
    from stackwalls.stackgen.generation.image_workers import Tools
    from stackwalls.stackgen.localizing.localizer import Localizer

_CLASSES = 100
"""As in the paper; all classes of a model that draws fewer."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add = parser.add_argument
    options.add_shared(parser, classes=f"{_CLASSES} of the 398 animals, or all nouns")
    add_nouns(parser)
    add("--per-class", type=int, default=1, metavar="K", help="images per class (default 1)")
    options.add_shared(parser, seed="the classes and all frames", wall="")
    add(
        "--size", metavar="N", help="height and width of the images in pixels, 64 to 2048 (default: the wall's, or 224)"
    )
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
    add("--frame", metavar="WxH", help="size of the frames in pixels (default: the preset's); --size WxH is the same")
    add("--batch-size", type=int, default=1, metavar="N", help="frames per call (default 1); changes last bits")
    add("--compile", action="store_true", help="compile the model; pays off from about 50 images")
    add("--attention", metavar="NAME", help="an attention backend of diffusers, such as flash or sage")
    add("--dtype", metavar="TYPE", help="float32, bfloat16 or float16 (default: the best that the device supports)")
    add("--offload", metavar="HOW", help="none, model or sequential (default: chosen by the GPU's free memory)")
    add("--redo-rejected", action="store_true", help="make new attempts for images rejected in `stackgen review`")
    add_cluster(parser)
    options.add_out(parser, "dataset folder to write", "stack-gen")
    options.add_shared(parser, json="the result")


def run(args: argparse.Namespace) -> int:
    """Make this process's share of the set, and report where it is."""
    from stackwalls.model import Launch, find_device
    from stackwalls.stackgen.generation.generating import generate

    cluster = cluster_of(args)
    launch = Launch() if cluster else Launch.of()
    asked = _asked(args)
    spec, placement, localizer = _found(args, asked, str(find_device("auto", launch.local_rank)), cluster)
    tools = None if cluster is None else _WorkersTools(spec, localizer.name, args.offload, cluster.device)
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
            remote=None if cluster is None or tools is None else (cluster, tools),
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
    from stackwalls.stackgen.diffusion import Call, ModelSource
    from stackwalls.stackgen.generation.generate_spec import GenerateSpec

    size, width, height = _sizes(args.size, args.frame)
    nouns, classes = parse_nouns(args)
    return GenerateSpec(
        model=ModelSource("", "", ""),
        call=Call(args.steps, args.guidance, width, height),
        dtype="",
        localizer="",
        classes=(len(nouns.own) or _CLASSES) if classes is None else classes,
        nouns=nouns,
        wall=options.parse_wall(args.wall, size),
        compiled=args.compile,
        **options.values(args, "per_class", "seed", "template", "attempts", "batch_size", "attention"),
    )


def _sizes(size: str | None, frame: str | None) -> tuple[int | None, int | None, int | None]:
    """The images' size, and the frames' width and height; `--size` once was the frames'."""
    from stackwalls.model import InputError
    from stackwalls.stackgen.diffusion import parse_size

    if size is not None and size.isdecimal():
        return int(size[:10]), *(parse_size(frame) if frame else (None, None))
    if size is not None and frame is not None:
        raise InputError(f"Expected --size N, one number for the images beside --frame {frame}, but got {size!r:.40}.")
    asked = size or frame
    return None, *(parse_size(asked) if asked else (None, None))


@dataclass(frozen=True)
class _WorkersTools:
    """Loads what a worker of a cluster draws and looks with."""

    spec: GenerateSpec
    localizer: str
    offload: str | None
    device: str

    def __call__(self) -> Tools:
        from stackwalls.stackgen.diffusion import TextToImage
        from stackwalls.stackgen.generation.image_workers import Tools
        from stackwalls.stackgen.localizing.zero_shot import load_localizer

        spec, placement = self.spec, _placed(self.device, None, self.spec.dtype)
        how: dict[str, Any] = {"offload": self.offload, "compiled": spec.compiled, "attention": spec.attention}
        frames = TextToImage.load(spec.model, spec.call, placement, **how)
        return Tools(frames, load_localizer(self.localizer, placement.device), placement.hardware)


def _placed(device: str, wanted: str | None, forced: str | None) -> Placement:
    """Where the model runs in this process."""
    from stackwalls.model import find_device
    from stackwalls.stackgen.diffusion import place

    return place(str(find_device(device)), wanted, forced)


def _found(
    args: argparse.Namespace, asked: GenerateSpec, device: str, cluster: Cluster | None
) -> tuple[GenerateSpec, Placement, Localizer]:
    """Find the model and the localizer, and complete the spec with them; on a cluster, the device is the workers'."""
    from dataclasses import replace

    from stackwalls.stackgen.diffusion import complete_call, find_model
    from stackwalls.stackgen.localizing.zero_shot import load_localizer

    source = find_model(args.preset, args.model, args.revision, cluster.device if cluster else device)
    preset, synsets = source.preset, source.synsets
    placed = partial(_placed, cluster.device if cluster else device, preset.dtype if preset else None, args.dtype)
    placement = placed() if cluster is None or cluster.device == "cpu" else cluster.once(placed)
    name = args.localizer or (preset.localizer if preset else "owlv2")
    localizer = load_localizer(name, "cpu" if cluster else device)
    spec = replace(
        asked,
        model=source,
        call=complete_call(asked.call, source, landscape=asked.band.axis == "columns"),
        dtype=placement.dtype,
        localizer=Path(name).resolve().name if Path(name).is_dir() else name,  # a manifest names no local path
        localizer_revision=localizer.revision,
        classes=min(_CLASSES, len(synsets)) if args.classes is None and synsets and not args.nouns else asked.classes,
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
    """Warn about a miniature in place of the default model, classes that are not animals, and crops to be enlarged."""
    from stackwalls.hub_cards.layout import listed
    from stackwalls.model import imagenet_classes
    from stackwalls.stackgen.localizing.crop_search import Limits

    classes, size, call = spec.labels(), spec.wall.image_size, spec.call
    if spec.model.instead is not None:
        less = isinstance(asked, int) and len(classes) < asked
        fewer = f" It draws {len(classes)} animals instead of {asked}." if less else ""
        options.say(
            f"NO PHOTOGRAPHS: {spec.model.instead}, so the miniature in this package makes drawings.{fewer} For "
            "photographs, use a GPU and the Hugging Face Hub or its cache, or name a model (--preset sd15 is the "
            "smallest; on a CPU it takes minutes per image)."
        )
    entries = [] if spec.nouns.own else [imagenet_classes()[label] for label in classes]
    if others := [entry.name for entry in entries if not entry.is_animal]:
        named = f"{len(others)} of the classes are not animals ({listed(others)})"
        options.say(f"{named}; their prompts use the plain class names.")
    if spec.model.synsets is None and call.width and call.height:
        side = Limits.of_frame((call.width, call.height), size).side
        if side < size:
            options.say(
                f"Crops of {side} pixels or more from frames of {call.width} × {call.height} become images of {size}, "
                "so some are enlarged: ask for larger frames with --frame."
            )


def _lines(out: Path, manifest: Manifest) -> list[str]:
    """What was made."""
    from stackwalls.hub_cards.layout import listed

    counts, spec, inputs = manifest.counts, manifest.spec, manifest.inputs
    lines = [
        f"{out}: {counts['kept']} of {counts['requested']} images, wall {spec['wall']}, by {spec['model']['name']} in "
        f"{inputs['attempts']} attempts, seed {spec['seed']}."
    ]
    if counts["rejected"]:
        lines.append(f"{counts['rejected']} attempts were rejected; see {out / 'rejected.parquet'}.")
    if given_up := inputs["given_up"]:
        labels = [manifest.classes.parse(image_id.rpartition("_")[0]) for image_id in given_up]
        names = [
            f"{manifest.classes.names[label]} ({image_id})" for label, image_id in zip(labels, given_up, strict=True)
        ]
        lines.append(f"Given up after {spec['attempts']} attempts each: {listed(names)}.")
        again = f"--attempts {2 * spec['attempts']}"
        lines.append(f"To try again, run the same command with {again}; existing images stay.")
    return lines
