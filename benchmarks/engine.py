"""The engine against grad-cam, side by side in one run, alternating: seconds an image, ratios, largest differences.

    python benchmarks/engine.py                      # MaskedVGG16, random calibrated weights, 2 threads
    python benchmarks/engine.py --model walled:tf_efficientnet_lite0 --groups single
    python benchmarks/engine.py --tuned              # glibc keeps freed blocks, for both sides
    python benchmarks/engine.py --device cuda --precision fast --images 16

Images are Gaussian noise with a fixed seed; weights of MaskedVGG16 are He-initialised and then calibrated layer by
layer so that the last map is sparse, as in a trained network (its speed depends on how many channels are dead).
"""

from __future__ import annotations

import argparse
import ctypes
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable
from importlib.metadata import version

import numpy as np
import pytorch_grad_cam
import torch
from pytorch_grad_cam import ablation_cam, score_cam
from pytorch_grad_cam.ablation_layer import AblationLayer
from torch import nn

from stackwalls.evaluate import mu
from stackwalls.evaluate.engine import Engine, explain_forward, normalised_maps
from stackwalls.model import BlindModel, MaskedVGG16, load_model

GROUPS = {
    "single": ["GradCAM", "GradCAM++", "XGradCAM", "EigenCAM", "HiResCAM"],
    "ablation": ["AblationCAM"],
    "score": ["ScoreCAM"],
}
GRAD_CAM = {"GradCAM++": "GradCAMPlusPlus"}


def keep_freed_memory() -> None:
    """glibc: do not hand big blocks back to the system at each operation (M_MMAP_MAX, M_TRIM_THRESHOLD, M_TOP_PAD)."""
    libc = ctypes.CDLL("libc.so.6")
    for option, value in ((-4, 0), (-1, 2**31 - 1), (-2, 256 << 20)):
        libc.mallopt(option, value)


def calibrated_masked_vgg16(seed: int) -> MaskedVGG16:
    """Random weights with standardised pre-activations, 21 % of the last map alive, and dense layers of He's scale."""
    torch.manual_seed(seed)
    model = MaskedVGG16().eval().requires_grad_(False)
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


def load(name: str, device: str, seed: int) -> BlindModel:
    model = calibrated_masked_vgg16(seed) if name == "masked-vgg16" else load_model(name)
    return model.eval().requires_grad_(False).to(device)


def by_grad_cam(model: BlindModel, methods: list[str], images: torch.Tensor) -> dict[str, np.ndarray]:
    """Each method called as grad-cam's README calls it."""
    maps = {}
    for method in methods:
        extra = {"ablation_layer": AblationLayer()} if method == "AblationCAM" else {}
        make = getattr(pytorch_grad_cam, GRAD_CAM.get(method, method))
        model.requires_grad_(True)
        with make(model=model, target_layers=[model.target_layer], **extra) as cam:
            maps[method] = cam(input_tensor=images, targets=None)
        model.requires_grad_(False)
        model.zero_grad()
    return maps


def by_engine(engine: Engine, methods: list[str], images: torch.Tensor) -> dict[str, np.ndarray]:
    raw, _ = engine.raw_maps(images, methods)
    return {method: normalised_maps(maps, images.shape[-1]).cpu().numpy() for method, maps in raw.items()}


def timed(run: Callable[[], dict[str, np.ndarray]]) -> tuple[float, dict[str, np.ndarray]]:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    started = time.perf_counter()
    result = run()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - started, result


def convolution_rate(device: str) -> float:
    """Multiply-adds a second of a 3×3 convolution of VGG's third block in float32."""
    x = torch.randn(4, 256, 56, 56, device=device).contiguous(memory_format=torch.channels_last)
    layer = nn.Conv2d(256, 256, 3, padding=1, device=device).requires_grad_(False)
    seconds = min(timed(lambda: {"": layer(x)})[0] for _ in range(8))
    return 4 * 56 * 56 * 256 * 256 * 9 / seconds


def compare(
    model: BlindModel, engine: Engine, methods: list[str], images: torch.Tensor, repeats: int
) -> dict[str, object]:
    """Alternate the two; report medians, the spread of the pairwise ratios, and the largest differences."""
    by_engine(engine, methods, images[:1])  # warm up, and lay out the weights
    ours, theirs, differences, mus = [], [], [], []
    for _ in range(repeats):
        seconds, expected = timed(lambda: by_grad_cam(model, methods, images))
        theirs.append(seconds / len(images))
        seconds, found = timed(lambda: by_engine(engine, methods, images))
        ours.append(seconds / len(images))
        differences += [float(np.abs(found[m] - expected[m]).max()) for m in methods]
        mus += [float(np.nanmax(np.abs(mu(found[m], model.wall) - mu(expected[m], model.wall)))) for m in methods]
    ratios = [b / a for a, b in zip(ours, theirs, strict=True)]
    return {
        "methods": methods,
        "engine_s_per_image": statistics.median(ours),
        "grad_cam_s_per_image": statistics.median(theirs),
        "ratio": statistics.median(ratios),
        "ratio_min": min(ratios),
        "ratio_max": max(ratios),
        "largest_map_difference": max(differences),
        "largest_mu_difference": max(mus),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="masked-vgg16")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--images", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--precision", choices=["exact", "fast"], default="exact")
    parser.add_argument("--groups", nargs="+", choices=GROUPS, default=list(GROUPS))
    parser.add_argument("--tuned", action="store_true", help="let glibc keep freed blocks, for both sides")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.backends.cudnn.allow_tf32 = False
    if args.tuned:
        keep_freed_memory()
    for module in (ablation_cam, score_cam):
        module.tqdm.tqdm = lambda items, **_: items  # grad-cam's own progress bars
    model = load(args.model, args.device, args.seed)
    engine = Engine(model, precision=args.precision)
    images = torch.randn(args.images, 3, 224, 224, generator=torch.Generator().manual_seed(args.seed)).to(args.device)
    alive = float((explain_forward(model, images).activations != 0).float().mean())
    name = (
        torch.cuda.get_device_name() if args.device == "cuda" else f"{platform.machine()} CPU, {args.threads} threads"
    )
    setting = {
        "command": " ".join(["python", *sys.argv]),
        "device": name,
        "model": args.model,
        "images": args.images,
        "seed": args.seed,
        "precision": engine.precision,
        "share_of_map_alive": round(alive, 3),
        "torch": torch.__version__,
        "grad-cam": version("grad-cam"),
        "convolution_GMAC_per_s": round(convolution_rate(args.device) / 1e9, 1),
    }
    print(json.dumps(setting))
    for group in args.groups:
        print(json.dumps({"group": group, **compare(model, engine, GROUPS[group], images, args.repeats)}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
