"""What STACK-GEN costs beside the text-to-image model, and, on a GPU, its throughput against the bare pipeline's.

python benchmarks/generate.py                               # ms an image of all but the model, 832 × 1216, one core
python benchmarks/generate.py --localizer foreground        # with a real localizer that needs no weights
python benchmarks/generate.py --device cuda --images 100    # FLUX.2-klein-4B's size with random weights, alternating
python benchmarks/generate.py --device cpu --bare --small   # the same on a tiny pipeline, to try the script
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from devices import available_device
from PIL import Image

from stackwalls.model import Launch, animals
from stackwalls.stackgen.diffusion import Call, Flaw, FrameMaker, ModelSource, TextToImage
from stackwalls.stackgen.generation.generate_spec import GenerateSpec
from stackwalls.stackgen.generation.generating import generate
from stackwalls.stackgen.localizing.localizer import Detections, Localizer
from stackwalls.stackgen.localizing.zero_shot import load_localizer

WIDTH, HEIGHT = 832, 1216
SOURCE = ModelSource("benchmark", "random", "Flux2KleinPipeline")


def still_frames(count: int = 4) -> list[Image.Image]:
    """Two textured ellipses on top of each other before a calm background, with a sensor's noise."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    frames = []
    for seed in range(count):
        random = np.random.default_rng(seed)
        canvas = np.full((HEIGHT, WIDTH, 3), (186, 205, 222), np.float32)
        for center, color in (((400, 416), (150, 90, 40)), ((860, 416), (60, 60, 70))):
            inside = ((rows - center[0]) / 230) ** 2 + ((columns - center[1]) / 330) ** 2 < 1
            canvas[inside] = color + random.normal(0, 25, (int(inside.sum()), 3))
        canvas += random.normal(0, 3, canvas.shape)
        frames.append(Image.fromarray(canvas.clip(0, 255).astype(np.uint8)))
    return frames


class StillFrames:
    """Gives frames that are there already, and notes how long that takes."""

    def __init__(self) -> None:
        self.frames = still_frames()
        self.seconds = 0.0

    def draw(self, prompts: Sequence[str], seeds: Sequence[int]) -> list[Image.Image | Flaw]:
        started = time.perf_counter()
        frames: list[Image.Image | Flaw] = [self.frames[seed % len(self.frames)].copy() for seed in seeds]
        self.seconds += time.perf_counter() - started
        return frames


class Everywhere(TextToImage):
    """Random weights draw nothing to be seen now and then; what follows costs as much as with a good frame."""

    def draw(self, prompts: Sequence[str], seeds: Sequence[int]) -> list[Image.Image | Flaw]:
        blank = Image.new("RGB", (WIDTH, HEIGHT), (120, 110, 100))
        return [blank if isinstance(frame, Flaw) else frame for frame in super().draw(prompts, seeds)]


class Planted:
    """Two boxes on top of each other in every frame."""

    name, revision = "planted", None

    def locate(self, frames: Sequence[Image.Image], nouns: Sequence[Sequence[str]]) -> list[Detections]:
        found = []
        for frame in frames:
            width, height = frame.size
            boxes = np.array([[0.1, 0.14, 0.9, 0.52], [0.1, 0.52, 0.9, 0.9]], np.float32)
            scale = np.array([width, height, width, height], np.float32)
            found.append(Detections(boxes * scale, np.array([0.5, 0.5], np.float32)))
        return found


def klein_pipeline(device: str, small: bool) -> Any:
    """FLUX.2 Klein of 4 billion parameters (or of a few thousand), random weights, a vocabulary of bytes."""
    from diffusers import (
        AutoencoderKLFlux2,
        FlowMatchEulerDiscreteScheduler,
        Flux2KleinPipeline,
        Flux2Transformer2DModel,
    )
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import Qwen2Tokenizer, Qwen3Config, Qwen3ForCausalLM

    words = [*sorted(ByteLevel.alphabet()), "<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    tokenizer = Qwen2Tokenizer(vocab={word: index for index, word in enumerate(words)}, merges=[])
    tokenizer.chat_template = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}"
    hidden, heads = (16, 2) if small else (2560, 32)
    text = Qwen3Config(
        hidden_size=hidden,
        intermediate_size=2 * hidden if small else 9728,
        num_hidden_layers=28 if small else 36,
        num_attention_heads=heads,
        num_key_value_heads=2 if small else 8,
        head_dim=8 if small else 128,
        vocab_size=len(tokenizer) if small else 151936,
    )
    shape: dict[str, Any] = {"num_attention_heads": 24, "num_layers": 5, "num_single_layers": 20}
    decoder: dict[str, Any] = {}
    if small:
        shape = {"num_attention_heads": 2, "attention_head_dim": 16, "num_layers": 1, "num_single_layers": 1}
        shape |= {"axes_dims_rope": [4, 4, 4, 4]}
        decoder = {"block_out_channels": (32, 32, 32, 32), "layers_per_block": 1}
    torch.manual_seed(0)
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32 if device == "cpu" else torch.bfloat16)
    try:
        with torch.device(device):
            pipeline = Flux2KleinPipeline(
                scheduler=FlowMatchEulerDiscreteScheduler(),
                vae=AutoencoderKLFlux2(**decoder),
                text_encoder=Qwen3ForCausalLM(text).eval(),
                tokenizer=tokenizer,
                transformer=Flux2Transformer2DModel(
                    joint_attention_dim=3 * hidden, guidance_embeds=False, **shape
                ).eval(),
                is_distilled=True,
            )
    finally:
        torch.set_default_dtype(before)
    pipeline.vae.eval()
    pipeline.set_progress_bar_config(disable=True)
    return pipeline.to(device)


def spec_of(images: int, size: tuple[int, int]) -> GenerateSpec:
    names = tuple(entry.synset for entry in animals()[:images])
    return GenerateSpec(
        SOURCE, Call(4, 1.0, *size), "benchmark", "benchmark", classes=names, per_class=-(-images // len(names))
    )


def made(images: int, frames: FrameMaker, localizer: Localizer, size: tuple[int, int], warm: bool = False) -> float:
    """Seconds of a whole run of so many images, the finished folder included; and that every one was kept at once."""
    with tempfile.TemporaryDirectory() as folder:
        spec = spec_of(images, size)
        started = time.perf_counter()
        manifest = generate(
            spec, Path(folder) / "set", frames=lambda: frames, localizer=localizer, hardware="x", launch=Launch()
        )
        seconds = time.perf_counter() - started
    assert manifest is not None
    assert warm or manifest.counts == {"requested": images, "kept": images, "rejected": 0}, manifest.counts
    return seconds


def beside_the_model(args: argparse.Namespace) -> None:
    """Milliseconds an image of prompts, localizer plumbing, crop, encoding, records and the finished folder."""
    torch.set_num_threads(1)
    localizer = Planted() if args.localizer == "planted" else load_localizer(args.localizer)
    made(4, StillFrames(), localizer, (WIDTH, HEIGHT), warm=True)
    core, wall = [], []
    for _ in range(args.repeats):
        frames, before = StillFrames(), time.process_time()
        seconds = made(args.images, frames, localizer, (WIDTH, HEIGHT))
        core.append(1000 * (time.process_time() - before - frames.seconds) / args.images)
        wall.append(1000 * (seconds - frames.seconds) / args.images)
    for name, costs in (("core", core), ("wall", wall)):
        found = {"median": statistics.median(costs), "least": min(costs), "most": max(costs)}
        print(json.dumps({f"{name}_ms_per_image": {key: round(value, 1) for key, value in found.items()}}))


def against_the_bare_pipeline(args: argparse.Namespace) -> None:
    """Images a second with and without everything around the pipeline, alternating."""
    size = (128, 192) if args.small else (WIDTH, HEIGHT)
    pipeline = klein_pipeline(args.device, args.small)
    call = Call(4, 1.0, *size)
    prompts = [f"A photo of {entry.name} stacked on top of {entry.name}." for entry in animals()[: args.images]]

    def bare() -> float:
        started = time.perf_counter()
        for seed, prompt in enumerate(prompts):
            generator = torch.Generator("cpu").manual_seed(seed)
            pipeline(
                prompt=[prompt],
                generator=[generator],
                num_inference_steps=4,
                guidance_scale=1.0,
                width=size[0],
                height=size[1],
            )
        return len(prompts) / (time.perf_counter() - started)

    def whole() -> float:
        frames = Everywhere(pipeline, call, SOURCE, args.device)
        return len(prompts) / made(len(prompts), frames, Planted(), size)

    bare(), whole()  # compiles kernels, fills the allocator
    pairs = [(bare(), whole()) for _ in range(args.repeats)]
    ratios = [ours / plain for plain, ours in pairs]
    row: dict[str, Any] = {"bare_per_s": [round(plain, 4) for plain, _ in pairs]}
    row |= {"whole_per_s": [round(ours, 4) for _, ours in pairs], "ratio_median": round(statistics.median(ratios), 4)}
    row |= {"ratio_range": [round(min(ratios), 4), round(max(ratios), 4)]}
    print(json.dumps(row))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", type=available_device, default="cpu")
    parser.add_argument("--images", type=int, default=100, help="at most 398")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--localizer", default="planted", help="planted (default), foreground, …")
    parser.add_argument("--bare", action="store_true", help="compare with the bare pipeline (always on a GPU)")
    parser.add_argument("--small", action="store_true", help="a tiny pipeline")
    args = parser.parse_args()
    machine = torch.cuda.get_device_name() if args.device.startswith("cuda") else platform.machine()
    print(json.dumps({"command": " ".join(["python", *sys.argv]), "machine": machine, "torch": torch.__version__}))
    if args.bare or args.device != "cpu":
        against_the_bare_pipeline(args)
    else:
        beside_the_model(args)
    return 0


if __name__ == "__main__":
    sys.exit(main())
