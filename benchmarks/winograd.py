"""Would Winograd's minimal filtering make ScoreCAM's exact passes faster on this device? Layer by layer, alternating.

    python benchmarks/winograd.py                            # one masked image a call, calls side by side
    python benchmarks/winograd.py --device cuda --compile    # 128 a call; the transforms as fused kernels
    python benchmarks/winograd.py --layers conv4_2           # one layer

F(4×4, 3×3) takes 36 multiplications where the convolution takes 144, and reads and writes its tiles 2.25 times over
before and after (Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016). Compared are the
engine's own convolution with ReLU and this one, on the rows of MaskedVGG16 that can matter, in float32: milliseconds an
image, and the largest error from float64 relative to the largest value. Inputs are rectified Gaussian noise, kernels of
He's scale. Layers of nearly one shape are measured once and counted as often as there are.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from devices import available_device
from torch import nn

from stackwalls.evaluate.engine.kernels import conv_relu
from stackwalls.model import parallel_map

KERNEL = [[1 / 4, 0, 0], [-1 / 6, -1 / 6, -1 / 6], [-1 / 6, 1 / 6, -1 / 6],
          [1 / 24, 1 / 12, 1 / 6], [1 / 24, -1 / 12, 1 / 6], [0, 0, 1]]  # fmt: skip
"""Lavin and Gray's G."""


class Layer(NamedTuple):
    name: str
    channels: int
    kernels: int
    rows: int
    columns: int
    times: int


LAYERS = [
    Layer("conv1_2", 64, 64, 169, 224, 1),
    Layer("conv2_1", 64, 128, 84, 112, 1),
    Layer("conv2_2", 128, 128, 83, 112, 1),
    Layer("conv3_1", 128, 256, 41, 56, 1),
    Layer("conv3_2", 256, 256, 40, 56, 2),
    Layer("conv4_1", 256, 512, 19, 28, 1),
    Layer("conv4_2", 512, 512, 18, 28, 2),
    Layer("conv5_1", 512, 512, 8, 14, 3),
]
"""All but the first, whose three channels leave nothing to save."""


def into_one(d: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """Lavin and Gray's Bᵀ d, of six values."""
    even, odd = d[4] - d[2], 2 * (d[3] - d[1])
    outer, inner = d[4] - 4 * d[2], d[3] - 4 * d[1]
    return [even + 4 * (d[0] - d[2]), outer + inner, outer - inner, even + odd, even - odd, d[5] - d[3] - 2 * odd]


def out_of_one(m: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """Lavin and Gray's Aᵀ m, of six values to four."""
    near_sum, near_difference, far_sum, far_difference = m[1] + m[2], m[1] - m[2], m[3] + m[4], m[3] - m[4]
    return [
        m[0] + near_sum + far_sum,
        near_difference + 2 * far_difference,
        near_sum + 4 * far_sum,
        near_difference + 8 * far_difference + m[5],
    ]


def into_tiles(x: torch.Tensor) -> torch.Tensor:
    """`(N, H, W, C)` to the transformed 6×6 tiles around every 4×4 outputs, `(36, tiles, C)`."""
    down, across = math.ceil(x.shape[1] / 4), math.ceil(x.shape[2] / 4)
    padded = F.pad(x, (0, 0, 1, 4 * across + 1 - x.shape[2], 1, 4 * down + 1 - x.shape[1]))
    at = [[padded[:, i : i + 4 * down - 3 : 4, j : j + 4 * across - 3 : 4] for j in range(6)] for i in range(6)]
    columns = [into_one([at[i][j] for i in range(6)]) for j in range(6)]
    tiles = [tile for i in range(6) for tile in into_one([columns[j][i] for j in range(6)])]
    return torch.stack(tiles).view(36, -1, x.shape[3])


def out_of_tiles(products: torch.Tensor, bias: torch.Tensor, shape: torch.Size) -> torch.Tensor:
    """`(36, tiles, kernels)` to the rectified outputs `(N, H, W, kernels)` for inputs of `shape`."""
    number, height, width, _ = shape
    down, across, kernels = math.ceil(height / 4), math.ceil(width / 4), len(bias)
    tiles = products.view(6, 6, number, down, across, kernels)
    columns = [out_of_one([tiles[i, j] for i in range(6)]) for j in range(6)]
    outputs = [torch.stack(out_of_one([columns[j][i] for j in range(6)]), 3) for i in range(4)]
    whole = torch.stack(outputs, 2).view(number, 4 * down, 4 * across, kernels)
    return (whole[:, :height, :width] + bias).relu()


def winograd(layer: nn.Conv2d, compiled: bool) -> Callable[[torch.Tensor], torch.Tensor]:
    """The layer and its ReLU on `(N, H, W, C)`."""
    matrix = torch.tensor(KERNEL, dtype=torch.float64)
    kernels = torch.einsum("ai,bj,ocij->abco", matrix, matrix, layer.weight.detach().double().cpu())
    kernels = kernels.float().flatten(0, 1).contiguous().to(layer.weight.device)
    before, after = [torch.compile(f, dynamic=False) if compiled else f for f in (into_tiles, out_of_tiles)]
    return lambda x: after(torch.bmm(before(x), kernels), layer.bias, x.shape)


def milliseconds(run: Callable[[], torch.Tensor], device: str, images: int) -> float:
    """An image; on a CPU of four calls a thread, side by side, as the engine makes them."""

    def one(_: int) -> None:
        with torch.inference_mode():
            run()

    calls = 4 * torch.get_num_threads() if device == "cpu" else 4
    if device == "cpu":
        with parallel_map() as mapped:
            started = time.perf_counter()
            list(mapped(one, range(calls)))
    else:
        torch.cuda.synchronize()
        started = time.perf_counter()
        list(map(one, range(calls)))
        torch.cuda.synchronize()
    return (time.perf_counter() - started) / calls / images * 1e3


def measured(shape: Layer, args: argparse.Namespace) -> tuple[float, float, float, float]:
    """Milliseconds an image of the engine's convolution and of Winograd's, and their errors."""
    torch.manual_seed(args.seed)
    layer = nn.Conv2d(shape.channels, shape.kernels, 3, padding=1).requires_grad_(False)
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    x = torch.randn(args.images, shape.rows, shape.columns, shape.channels).relu()
    exact = copy_in_float64(layer)(x[:1].permute(0, 3, 1, 2).double()).relu()
    layer, x = layer.to(args.device), x.to(args.device)
    channels_last = x.permute(0, 3, 1, 2)
    own, other = conv_relu(layer, tuple(channels_last.shape), torch.float32), winograd(layer, args.compile)
    runs: list[Callable[[], torch.Tensor]] = [lambda: own(channels_last), lambda: other(x).permute(0, 3, 1, 2)]
    errors = []
    for run in runs:
        with torch.inference_mode():  # compiles, too
            errors.append(float((run()[:1].cpu() - exact).abs().max() / exact.max()))
    times = [[milliseconds(run, args.device, args.images) for run in runs] for _ in range(args.repeats)]
    own_ms, other_ms = (statistics.median(column) for column in zip(*times, strict=True))
    return own_ms, other_ms, *errors


def copy_in_float64(layer: nn.Conv2d) -> nn.Conv2d:
    twin = nn.Conv2d(layer.in_channels, layer.out_channels, 3, padding=1, dtype=torch.float64).requires_grad_(False)
    twin.load_state_dict(layer.state_dict())
    return twin


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [layer.name for layer in LAYERS]
    parser.add_argument("--layers", nargs="+", choices=names, default=names)
    parser.add_argument("--device", type=available_device, default="cpu")
    parser.add_argument("--threads", type=int, default=2, help="of the CPU, where it computes")
    parser.add_argument("--images", type=int, help="a call (default: 1 on a CPU, 128 on a GPU)")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--compile", action="store_true", help="the transforms by torch.compile")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    args.images = args.images or (1 if args.device == "cpu" else 128)
    return args


def main() -> int:
    args = arguments()
    torch.backends.cudnn.allow_tf32 = False
    if args.device == "cpu":
        torch.set_num_threads(args.threads)
    torch._dynamo.config.recompile_limit = 2 * len(LAYERS)
    print("| layer | times | engine, ms/image | Winograd, ms/image | ratio | engine's error | Winograd's error |")
    print("|---|---|---|---|---|---|---|")
    own, best = 0.0, 0.0
    for layer in LAYERS:
        if layer.name in args.layers:
            ours, other, *errors = measured(layer, args)
            own, best = own + layer.times * ours, best + layer.times * min(ours, other)
            figures = f"{ours:.3f} | {other:.3f} | {ours / other:.2f} | {errors[0]:.1e} | {errors[1]:.1e}"
            print(f"| {layer.name} | {layer.times} | {figures} |", flush=True)
    print(
        f"All of them, the faster one each: {own:.2f} against {best:.2f} ms an image, {own / best:.2f} times as fast."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
