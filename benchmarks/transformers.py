"""What ten methods cost on a vision transformer, against the forward and backward passes that they need.

    python benchmarks/transformers.py                         # ViT-B/16, random weights, both walls, one thread
    python benchmarks/transformers.py --images 4 --repeats 5 --kinds cut
    python benchmarks/transformers.py --memory 1GB            # the peak of the process instead of the time
    python benchmarks/transformers.py --device cuda --images 32

The passes are plain torch on the library's own network without a wall, with its own attention weights:

- one forward pass, for all methods;
- one backward pass from the score to every block's attention weights, for GradientAttention. It passes the map that the
  CAMs differentiate on its way;
- for LeGrad, from each block's mean token forward through the head, and backward to the weights of that block.

`evaluate` is timed from images in memory to rows; the certificate is made before. Times are of the CPU, over all
threads, so that other programs on the machine count less; on a GPU they are of the clock.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import timm
import torch
from devices import available_device
from engine import Noise, device_name
from torch import nn

from stackwalls.evaluate import evaluate
from stackwalls.evaluate.run.evaluation_spec import parse_bytes
from stackwalls.model import certify, walled

CAMS = ["GradCAM", "GradCAM++", "XGradCAM", "EigenCAM", "HiResCAM", "LayerCAM"]
ATTENTION = ["Rollout", "LastAttention", "GradientAttention", "LeGrad"]


def needed_passes(network: Any, images: torch.Tensor) -> None:
    """The passes that the ten methods need, as the heading of this file counts them."""
    weights, outputs = list[torch.Tensor](), list[torch.Tensor]()
    hooks = [
        block.attn.attn_drop.register_forward_hook(lambda *call: weights.append(call[2])) for block in network.blocks
    ]
    hooks += [block.register_forward_hook(lambda *call: outputs.append(call[2])) for block in network.blocks]
    logits = network(images.requires_grad_(True))
    for hook in hooks:
        hook.remove()
    targets = logits.detach().argmax(1)
    torch.autograd.grad(logits.gather(1, targets[:, None]).sum(), [*weights, outputs[-2]], retain_graph=True)
    for own, tokens in zip(weights, outputs, strict=True):
        scores = network.head(network.norm(tokens.mean(1)))
        torch.autograd.grad(scores.gather(1, targets[:, None]).sum(), own, retain_graph=True)


def seconds_of(run: Callable[[], Any], device: str) -> float:
    clock = time.process_time if device == "cpu" else time.perf_counter
    if device != "cpu":
        torch.cuda.synchronize()
    started = clock()
    run()
    if device != "cpu":
        torch.cuda.synchronize()
    return clock() - started


def plain_network(name: str, seed: int) -> nn.Module:
    """timm's network with random weights, which gives its attention weights to hooks."""
    torch.manual_seed(seed)
    network = timm.create_model(name).eval().requires_grad_(False)
    for block in network.blocks:
        block.attn.fused_attn = False
    return network


def measured(args: argparse.Namespace, kind: Any) -> dict[str, Any]:
    """Medians of pairs of runs that alternate, and the spread of the ratios."""
    torch.manual_seed(args.seed)
    model = walled(timm.create_model(args.network), args.wall, kind=kind).eval().to(args.device)
    images = torch.randn(args.images, 3, 224, 224, generator=torch.Generator().manual_seed(args.seed)).to(args.device)
    data, certificate, plain = Noise(images), certify(model), plain_network(args.network, args.seed).to(args.device)

    def ours() -> None:
        found = evaluate(model, data, args.methods, certificate=certificate, progress=False, memory=args.memory)
        assert found.per_image["error"].isna().all()

    # in calls of as many images as `evaluate` takes at once with slow methods
    runs = (lambda: [needed_passes(plain, part.clone()) for part in images.split(8)], ours)
    for run in runs:
        run()
    pairs = [[seconds_of(run, args.device) for run in runs] for _ in range(args.repeats)]
    bare, whole = (statistics.median(column) / args.images for column in zip(*pairs, strict=True))
    ratios = [second / first for first, second in pairs]
    return {
        "kind": kind,
        "passes_s_per_image": bare,
        "evaluate_s_per_image": whole,
        "ratio": statistics.median(ratios),
        "ratio_min": min(ratios),
        "ratio_max": max(ratios),
    }


def peak(args: argparse.Namespace, kind: Any) -> dict[str, Any]:
    """How far an evaluation raises the peak of the process's memory; for the first kind only, as a peak stays."""
    torch.manual_seed(args.seed)
    model = walled(timm.create_model(args.network), args.wall, kind=kind).eval()
    data, certificate = Noise(torch.randn(args.images, 3, 224, 224)), certify(model)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    evaluate(model, data, args.methods, certificate=certificate, progress=False, memory=args.memory)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"kind": kind, "budget": parse_bytes(args.memory), "before": before, "added": after - before}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", default="vit_base_patch16_224", help="a ViT of timm with a class token")
    parser.add_argument("--wall", default="bottom:64")
    parser.add_argument("--kinds", nargs="+", default=["cut", "sink"])
    parser.add_argument("--methods", nargs="+", default=[*CAMS, *ATTENTION])
    parser.add_argument("--images", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=3, help="pairs of runs")
    parser.add_argument("--threads", type=int, default=1, help="of the CPU")
    parser.add_argument("--memory", help="budget of `evaluate`; measures the peak instead of the time")
    parser.add_argument("--device", type=available_device, default="cpu")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    setting = {key: value for key, value in vars(args).items() if key != "kinds"}
    print(json.dumps({**setting, "on": device_name(args.device), "torch": torch.__version__}))
    for kind in args.kinds:
        print(json.dumps((peak if args.memory else measured)(args, kind)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
