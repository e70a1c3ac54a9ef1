"""Training: the step against the plainest PyTorch loop, and the loader against ImageFolder + DataLoader.

    python benchmarks/train.py step                            # full width, masked and baseline, float32, 2 threads
    python benchmarks/train.py step --precision bf16
    python benchmarks/train.py step --device cuda --precision bf16 --batch 256 --repeats 20
    python benchmarks/train.py loader                          # drawn JPEGs of 500 × 375
    python benchmarks/train.py loader --source path/to/imagenet/train --workers 8

Both sides of a pair run in one process, alternating, and do the same: the same network, the same batch, SGD with
momentum and weight decay, autocast where 16 bits are asked for. The plain step is what one writes first:
`model(images)`, `cross_entropy`, `backward`, `step`, contiguous tensors, normalized before the clock starts (ours
normalizes inside). The plain loader is ImageFolder with torchvision's transforms, which normalizes in its workers; ours
hands over uint8, which the device normalizes.
"""

from __future__ import annotations

import argparse
import copy
import json
import platform
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from devices import available_device
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import ImageFolder

from stackwalls.model import IMAGENET_MEAN, IMAGENET_STD, MaskedVGG16, to_input
from stackwalls.model.images.drawn import draw_scene, drawn_classes
from stackwalls.model.training import Recipe, TrainingNetwork, open_data
from stackwalls.model.training.batch_order import BatchOrder
from stackwalls.model.training.loading import Loader
from stackwalls.model.training.network import compiles
from stackwalls.model.training.trainer import build_optimizer

DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


def synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def timed(run: Callable[[], object], device: torch.device) -> float:
    synchronize(device)
    started = time.perf_counter()
    run()
    synchronize(device)
    return time.perf_counter() - started


def plain_step(
    model: MaskedVGG16, images: torch.Tensor, labels: torch.Tensor, dtype: torch.dtype
) -> Callable[[], object]:
    """The loop of a tutorial: normalized float images as torchvision's transforms give them."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.03, momentum=0.9, weight_decay=1e-4)

    def step() -> None:
        optimizer.zero_grad()
        with torch.autocast(images.device.type, dtype, enabled=dtype != torch.float32):
            loss = F.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()

    return step


def our_step(
    model: MaskedVGG16, pictures: torch.Tensor, labels: torch.Tensor, dtype: torch.dtype, compiled: bool
) -> Callable[[], object]:
    network = TrainingNetwork(model, dropout=0.5, compiled=compiled).to(pictures.device)
    optimizer = build_optimizer(Recipe(), network.parameters())

    def step() -> None:
        network.place(0, 0, 0, len(pictures))
        with torch.autocast(pictures.device.type, dtype, enabled=dtype != torch.float32):
            loss = F.cross_entropy(network(pictures), labels)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def multiplications(rows: int, width: float, batch: int) -> float:
    """Multiply-adds of the convolutions of one step: forward, and twice as many backward."""
    model, total = MaskedVGG16(rows, width=width), 0
    side = 224
    for layer in model.convolutions:
        if isinstance(layer, nn.Conv2d):
            total += side * side * layer.weight.numel()
        elif isinstance(layer, nn.MaxPool2d):
            side //= 2
    return 3.0 * batch * total


def convolution_rate(device: torch.device, dtype: torch.dtype) -> float:
    """Multiply-adds a second of a 3×3 convolution of VGG's third block, channels last."""
    count = 64 if device.type == "cuda" else 4
    x = torch.randn(count, 256, 56, 56, device=device, dtype=dtype).contiguous(memory_format=torch.channels_last)
    layer = nn.Conv2d(256, 256, 3, padding=1, device=device, dtype=dtype).to(memory_format=torch.channels_last)
    layer.requires_grad_(False)
    seconds = min(timed(lambda: [layer(x) for _ in range(5)], device) / 5 for _ in range(8))
    return count * 56 * 56 * 256 * 256 * 9 / seconds


def compare_steps(args: argparse.Namespace, rows: int) -> dict[str, object]:
    device, dtype = torch.device(args.device), DTYPES[args.precision]
    torch.manual_seed(args.seed)
    model = MaskedVGG16(rows, width=args.width).to(device).train()
    pictures = torch.randint(0, 256, (args.batch, 3, 224, 224), dtype=torch.uint8, device=device)
    labels = torch.randint(0, 1000, (args.batch,), device=device)
    compiled = compiles(device) if args.compile is None else args.compile
    images = to_input(pictures.permute(0, 2, 3, 1)).contiguous()
    runs = {
        "plain": plain_step(copy.deepcopy(model), images, labels, dtype),
        "ours": our_step(model, pictures, labels, dtype, compiled),
    }
    for run in runs.values():
        for _ in range(args.warm_up):
            run()
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(args.repeats):
        for name, run in runs.items():
            seconds[name].append(timed(run, device))
    ratios = [a / b for a, b in zip(seconds["plain"], seconds["ours"], strict=True)]
    ours = statistics.median(seconds["ours"])
    return {
        "network": "masked" if rows < 14 else "baseline",
        "compiled": compiled,
        "plain_images_per_s": round(args.batch / statistics.median(seconds["plain"]), 3),
        "ours_images_per_s": round(args.batch / ours, 3),
        "ratio": round(statistics.median(ratios), 2),
        "ratio_min": round(min(ratios), 2),
        "ratio_max": round(max(ratios), 2),
        # as if all rows had been computed, so that it says how long a training takes
        "convolutions_GMAC_per_s": round(multiplications(rows, args.width, args.batch) / ours / 1e9, 1),
    }


def jpeg_folder(root: Path, classes: int, each: int) -> Path:
    """JPEG pictures of ImageNet's median size."""
    for entry in drawn_classes()[:classes]:
        (root / entry.synset).mkdir(parents=True)
        for seed in range(each):
            scene = draw_scene(entry.index, seed, size=500, height=375)
            Image.fromarray(scene.image).save(root / entry.synset / f"{seed}.JPEG", quality=90)
    return root


def compare_loaders(args: argparse.Namespace, folder: Path) -> dict[str, object]:
    recipe = Recipe()
    transform = transforms.Compose(
        [
            transforms.RandomResizedCrop(224, scale=recipe.crop_area, ratio=recipe.crop_ratio),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize(IMAGENET_MEAN, IMAGENET_STD),
        ]
    )
    reference = ImageFolder(str(folder), transform)
    data = open_data(str(folder), val_share=0.1)
    count = len(data.train.labels) // args.batch * args.batch  # type: ignore[union-attr]

    def plain() -> None:
        chosen = torch.utils.data.Subset(reference, range(count))
        for _ in DataLoader(chosen, args.batch, shuffle=True, num_workers=args.workers):
            pass

    def ours() -> None:
        order = BatchOrder(count, args.batch, args.seed)
        for _ in Loader(data, order, recipe, range(order.steps_per_epoch), workers=args.workers):
            pass

    runs, device = {"plain": plain, "ours": ours}, torch.device("cpu")
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(args.repeats):
        for name, run in runs.items():
            seconds[name].append(timed(run, device))
    ratios = [a / b for a, b in zip(seconds["plain"], seconds["ours"], strict=True)]
    return {
        "pictures": count,
        "workers": args.workers,
        "plain_pictures_per_s": round(count / statistics.median(seconds["plain"]), 1),
        "ours_pictures_per_s": round(count / statistics.median(seconds["ours"]), 1),
        "ratio": round(statistics.median(ratios), 2),
        "ratio_min": round(min(ratios), 2),
        "ratio_max": round(max(ratios), 2),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["step", "loader"])
    parser.add_argument("--device", type=available_device, default="cpu")
    parser.add_argument("--precision", choices=DTYPES, default="fp32")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--width", type=float, default=1.0)
    parser.add_argument("--compile", action=argparse.BooleanOptionalAction, help="default: as a training does")
    parser.add_argument("--warm-up", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--source", type=Path, help="class folders for the loaders (default: drawn JPEGs)")
    parser.add_argument("--pictures", type=int, default=12, help="of each of 20 drawn classes")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    warnings.filterwarnings("ignore", message="The image decoding and encoding")
    device = torch.device(args.device)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{platform.machine()} CPU"
    setting = {"command": " ".join(["python", *sys.argv]), "device": name, "threads": args.threads}
    print(json.dumps({**setting, "batch": args.batch, "precision": args.precision, "torch": torch.__version__}))
    if args.what == "loader":
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(compare_loaders(args, args.source or jpeg_folder(Path(folder), 20, args.pictures))))
        return 0
    rate = convolution_rate(device, DTYPES[args.precision])
    print(json.dumps({"convolution_GMAC_per_s": round(rate / 1e9, 1)}))
    for rows in (5, 14):
        print(json.dumps(compare_steps(args, rows)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
