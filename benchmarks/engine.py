"""The engine against grad-cam, torch-cam and captum, in one run, alternating: seconds an image, ratios, differences.

    python benchmarks/engine.py                                   # MaskedVGG16, random calibrated weights, 2 threads
    python benchmarks/engine.py --allocator tuned                 # glibc keeps freed blocks, for all sides
    python benchmarks/engine.py --groups all --images 1 --repeats 1
    python benchmarks/engine.py --groups single ablation score --peers grad-cam torch-cam captum
    python benchmarks/engine.py --model walled:tf_efficientnet_lite0 --groups single
    python benchmarks/engine.py --model walled:resnet50 --groups single       # random weights
    python benchmarks/engine.py --device cuda --precision fast --images 16 --groups all

Images are Gaussian noise with a fixed seed; weights of MaskedVGG16 are He-initialised and then calibrated layer by
layer so that the last map is sparse, as in a trained network (its speed depends on how many channels are dead). The
group `evaluate` times `stackwalls.evaluate.evaluate` as a whole instead of its engine: images from memory to rows.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version

import numpy as np
import torch
from devices import available_device
from peers import MU_IS_ITS_OWN, PEERS
from torch import nn

from stackwalls.evaluate import evaluate, mu
from stackwalls.evaluate.engine.engine import Engine, Explained
from stackwalls.evaluate.engine.kernels import reduced_dtype
from stackwalls.evaluate.engine.score import SeenRows, channel_masks
from stackwalls.evaluate.maps import normalized_maps
from stackwalls.hub_cards import Batch, StackDataset
from stackwalls.model import VGG16_WALL, BlindModel, MaskedVGG16, certify, load_model, walled
from stackwalls.model.networks.geometry.seen_rows import rows_needed

SINGLE = ["GradCAM", "GradCAM++", "XGradCAM", "EigenCAM", "HiResCAM"]
GROUPS = {
    "single": SINGLE,
    "ablation": ["AblationCAM"],
    "single+ablation": [*SINGLE, "AblationCAM"],
    "score": ["ScoreCAM"],
    "all": [*SINGLE, "AblationCAM", "ScoreCAM"],
    "evaluate": SINGLE,
}

TUNED = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "4294967295",
    "MALLOC_TOP_PAD_": "268435456",
}
"""glibc: do not hand big blocks back to the system at each operation. Read when a process begins."""


def calibrated_masked_vgg16(seed: int, width: float = 1.0) -> MaskedVGG16:
    """Random weights with standardised pre-activations, 21 % of the last map alive, and dense layers of He's scale."""
    torch.manual_seed(seed)
    model = MaskedVGG16(width=width).eval().requires_grad_(False)
    x = torch.randn(2, 3, 224, 224)
    with torch.no_grad():
        for layer in model.convolutions:
            if isinstance(layer, nn.Conv2d):
                out = layer(x)
                mean, std = out.mean((0, 2, 3)), out.std((0, 2, 3)) + 1e-6
                layer.weight.div_(std.view(-1, 1, 1, 1))
                shift = 0.8 if layer is model.convolutions[-2] else 0.0
                layer.bias.copy_((layer.bias - mean) / std - shift)
            x = layer(x)
        for layer in model.classifier:
            if isinstance(layer, nn.Linear):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    return model


def load(name: str, device: str, seed: int, width: float) -> BlindModel:
    if name == "masked-vgg16":
        model: BlindModel = calibrated_masked_vgg16(seed, width)
    elif name == "walled:resnet50":
        torch.manual_seed(seed)
        model = walled("resnet50", VGG16_WALL.widened(32), pretrained=False)
    else:
        model = load_model(name)
    return model.eval().requires_grad_(False).to(device)


def device_name(device: str) -> str:
    return torch.cuda.get_device_name() if device.startswith("cuda") else f"{platform.machine()} CPU"


def by_engine(engine: Engine, methods: Sequence[str], images: torch.Tensor) -> dict[str, np.ndarray]:
    raw, _ = engine.raw_maps(images, methods)
    return {method: normalized_maps(maps, images.shape[-1]).cpu().numpy() for method, maps in raw.items()}


class Noise(StackDataset):
    """The images of the run as a dataset, undone to pixels."""

    def __init__(self, images: torch.Tensor) -> None:
        super().__init__("noise", lambda start: iter(()), len(images))
        pixels = (images.cpu() * 64 + 128).clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)
        self.images = pixels.contiguous().numpy()

    def batches(self, batch_size: int, spans: Sequence[tuple[int, int]] | None = None, *_: object) -> Iterator[Batch]:
        for first, last in spans or [(0, len(self))]:
            for start in range(first, last, batch_size):
                part = self.images[start : min(start + batch_size, last)]
                yield Batch([str(start + i) for i in range(len(part))], np.full(len(part), -1), part)


def timed(run: Callable[[], dict[str, np.ndarray]]) -> tuple[float, dict[str, np.ndarray]]:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    started = time.perf_counter()
    result = run()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - started, result


def convolution_rate(device: str, dtype: torch.dtype = torch.float32) -> float:
    """Multiply-adds a second of a 3×3 convolution of VGG's third block."""
    x = torch.randn(4, 256, 56, 56, device=device, dtype=dtype).contiguous(memory_format=torch.channels_last)
    layer = nn.Conv2d(256, 256, 3, padding=1, device=device, dtype=dtype).requires_grad_(False)
    seconds = min(timed(lambda: {"": layer(x)})[0] for _ in range(8))
    return 4 * 56 * 56 * 256 * 256 * 9 / seconds


def dense_rate(device: str, dtype: torch.dtype) -> float:
    """Multiply-adds a second of a large matrix product: what a GPU's matrix units give at most."""
    a = torch.randn(8192, 8192, device=device, dtype=dtype)
    return 8192**3 / min(timed(lambda: {"": a @ a})[0] for _ in range(8))


def pass_multiplications(model: MaskedVGG16, rows_read: int | None = None) -> int:
    """Multiply-adds of the convolutions of one pass, on the rows that can matter, or that so many map rows need."""
    needed, side, total = rows_needed(model.convolutions, rows_read or model.visible_rows), 224, 0
    for layer, rows in zip(model.convolutions, needed, strict=False):
        if isinstance(layer, nn.MaxPool2d):
            side //= 2
        elif isinstance(layer, nn.Conv2d):
            total += rows * side * layer.in_channels * layer.out_channels * 9
    return total


def score_rate(model: MaskedVGG16, engine: Engine, images: torch.Tensor) -> float:
    """Multiply-adds a second of ScoreCAM's convolutions, over its whole time."""
    explained = engine.explained(images[:1])
    seconds, _ = timed(lambda: {"": engine.raw_map("ScoreCAM", images[:1], explained)})
    return (shown(model, explained) + 1) * pass_multiplications(model) / seconds


def forward_rate(model: MaskedVGG16, engine: Engine, images: torch.Tensor) -> float:
    """Multiply-adds a second of the one forward pass behind the single-pass methods; the head's backward included."""
    seconds = min(timed(lambda: {"": engine.explained(images).logits})[0] for _ in range(4))
    return len(images) * pass_multiplications(model, 14) / seconds


def fast_passes(model: MaskedVGG16, engine: Engine) -> dict[str, float]:
    """ScoreCAM's convolutions alone in float16 on a GPU, beside the rate of its matrix units."""
    rows = SeenRows(model, engine.sizes.masked, torch.float16)
    masked = torch.randn(256, 3, rows.seen, 224, device=engine.device)
    with torch.inference_mode():
        seconds = min(timed(lambda: {"": rows.features(masked)})[0] for _ in range(4))
    found, dense = 256 * pass_multiplications(model) / seconds, dense_rate(str(engine.device), torch.float16)
    return {"passes_GMAC_per_s": found / 1e9, "dense_GMAC_per_s": dense / 1e9, "share_of_dense": found / dense}


def shown(model: BlindModel, explained: Explained) -> int:
    """How many channels have a mask that shows something outside the wall."""
    masks = channel_masks(explained.activations[0], 224)
    return int((masks[:, : VGG16_WALL.boxes[0].top].flatten(1) > 0).any(1).sum())


def compare(
    model: BlindModel,
    engine: Engine,
    library: str,
    methods: list[str],
    images: torch.Tensor,
    repeats: int,
    whole: bool = False,
) -> dict[str, object]:
    """Alternate the two; report medians, the spread of the pairwise ratios, and the largest differences."""
    by_engine(engine, methods, images[:1])  # warm up, and lay out the weights
    data, certificate = Noise(images), certify(model) if whole else None

    def ours_once() -> dict[str, np.ndarray]:
        if not whole:
            return by_engine(engine, methods, images)
        evaluate(model, data, methods, certificate=certificate, progress=False)
        return {}

    ours, theirs, differences, mus = [], [], [], []
    for _ in range(repeats):
        seconds, expected = timed(lambda: PEERS[library](model, methods, images))
        theirs.append(seconds / len(images))
        seconds, found = timed(ours_once)
        ours.append(seconds / len(images))
        pairs = [(found[method], expected[method]) for method in found]
        differences += [float(np.abs(a - b).max()) for a, b in pairs]
        mus += [float(np.nanmax(np.abs(mu(a, model.wall) - mu(b, model.wall)))) for a, b in pairs]
    ratios = [b / a for a, b in zip(ours, theirs, strict=True)]
    return {
        "methods": methods,
        "engine_s_per_image": statistics.median(ours),
        f"{library}_s_per_image": statistics.median(theirs),
        "ratio": statistics.median(ratios),
        "ratio_min": min(ratios),
        "ratio_max": max(ratios),
        "largest_map_difference": max(differences, default=None),
        "largest_mu_difference": max(mus, default=None),
        **({"note": MU_IS_ITS_OWN[library]} if library in MU_IS_ITS_OWN else {}),
    }


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="masked-vgg16")
    parser.add_argument("--width", type=float, default=1.0, help="of a masked VGG16, for a quick try")
    parser.add_argument("--device", type=available_device, default="cpu")
    parser.add_argument("--images", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "--threads", type=int, help="of the CPU, for all sides (default: 2 for runs on the CPU, all beside a GPU)"
    )
    parser.add_argument("--precision", choices=["exact", "tf32x3", "fast"], default="exact")
    parser.add_argument("--groups", nargs="+", choices=GROUPS, default=["single", "ablation", "score"])
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=["grad-cam"])
    parser.add_argument("--allocator", choices=["default", "tuned"], default="default", help="for all sides")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def main() -> int:
    args = arguments()
    if args.allocator == "tuned" and any(os.environ.get(name) != value for name, value in TUNED.items()):
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **TUNED})  # glibc reads them at the start
    on_gpu = args.device.startswith("cuda")
    if args.threads or not on_gpu:
        torch.set_num_threads(args.threads or 2)
    torch.backends.cudnn.allow_tf32 = False
    model = load(args.model, args.device, args.seed, args.width)
    engine = Engine(model, precision=args.precision)
    engine.sizes.images = args.images  # as the peers get: cuDNN's kernels depend on it, and round differently
    images = torch.randn(args.images, 3, 224, 224, generator=torch.Generator().manual_seed(args.seed)).to(args.device)
    alive = float((engine.explained(images).activations != 0).float().mean())
    setting = {
        "command": " ".join(["python", *sys.argv]),
        "device": device_name(args.device),
        "threads": torch.get_num_threads(),
        "model": args.model,
        "width": args.width,
        "images": args.images,
        "seed": args.seed,
        "precision": engine.precision,
        "allocator": args.allocator,
        "share_of_map_alive": round(alive, 3),
        "torch": torch.__version__,
        **{library: version(package) for library, package in VERSIONS.items() if library in args.peers},
        "convolution_GMAC_per_s": round(convolution_rate(args.device) / 1e9, 1),
    }
    print(json.dumps(setting), flush=True)
    for group in args.groups:
        for library in args.peers:
            shared = [method for method in GROUPS[group] if method in PEERS[library].methods]
            if shared:
                found = compare(model, engine, library, shared, images, args.repeats, whole=group == "evaluate")
                print(json.dumps({"group": group, "against": library, **found}), flush=True)
        if not isinstance(model, MaskedVGG16):
            continue
        if group == "single":
            forward, dense = forward_rate(model, engine, images), convolution_rate(args.device)
            share = {
                "forward_GMAC_per_s": forward / 1e9,
                "convolution_GMAC_per_s": dense / 1e9,
                "share": forward / dense,
            }
            print(json.dumps({"group": group, **share}), flush=True)
        if "ScoreCAM" in GROUPS[group]:
            rate = score_rate(model, engine, images)
            # measured anew, right beside it: the machine may be busier than at the start; in the passes' own type
            reduced = reduced_dtype(engine.device) if engine.precision == "fast" else None
            dense = convolution_rate(args.device, reduced or torch.float32)
            share = {"scorecam_GMAC_per_s": rate / 1e9, "convolution_GMAC_per_s": dense / 1e9, "share": rate / dense}
            if on_gpu and engine.precision == "fast":
                share |= fast_passes(model, engine)
            print(json.dumps({"group": group, **share}), flush=True)
    return 0


VERSIONS = {"grad-cam": "grad-cam", "torch-cam": "torchcam", "captum": "captum"}


if __name__ == "__main__":
    sys.exit(main())
