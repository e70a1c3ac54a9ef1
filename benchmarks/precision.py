"""How far the engine's maps and grad-cam's lie from the same in float64, and from each other.

    python benchmarks/precision.py --width 0.25 --images 16                  # a minute on two cores
    python benchmarks/precision.py --images 2 --methods AblationCAM          # full width, some minutes
    python benchmarks/precision.py --device cuda --images 16
    python benchmarks/precision.py --device cuda --images 1 --methods ScoreCAM --precision tf32x3

Float64 is grad-cam on the network in that type. EigenCAM is left out: its sign is LAPACK's choice, and another one in
float64. Both sides get all images in one call: cuDNN chooses its kernels by their number too, and kernels round
differently. What a rounding of the target layer's map does to a method's map is no library's error, but the method's
own sensitivity: `engine on the exact map` starts from float64's map, rounded once.
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
from collections.abc import Sequence

import numpy as np
import torch
from devices import available_device
from engine import GROUPS, PEERS, by_engine, device_name, load

from stackwalls.evaluate import mu
from stackwalls.evaluate.engine.engine import Engine, explain_head
from stackwalls.evaluate.maps import normalized_maps
from stackwalls.model import BlindModel

METHODS = [method for method in GROUPS["all"] if method != "EigenCAM"]


def on_exact_map(
    engine: Engine, exact: BlindModel, images: torch.Tensor, methods: Sequence[str]
) -> dict[str, np.ndarray]:
    """The engine's maps where the forward pass to the target layer was made in float64."""
    with torch.no_grad():
        activations = exact.features(images.double()).float().contiguous()
    explained = explain_head(engine.model, activations)
    raw = {method: engine.raw_map(method, images, explained) for method in methods}
    return {method: normalized_maps(maps, images.shape[-1]).cpu().numpy() for method, maps in raw.items()}


def main() -> int:
    args = arguments()
    if not args.device.startswith("cuda"):
        torch.set_num_threads(args.threads)
    torch.backends.cudnn.allow_tf32 = False
    model = load(args.model, args.device, args.seed, args.width)
    exact = copy.deepcopy(model).double()
    engine = Engine(model, precision=args.precision)
    engine.sizes.images = args.images
    images = torch.randn(args.images, 3, 224, 224, generator=torch.Generator().manual_seed(args.seed)).to(args.device)
    setting = {
        "command": " ".join(["python", *sys.argv]),
        "device": device_name(args.device),
        "torch": torch.__version__,
    }
    print(json.dumps(setting), flush=True)
    for method in args.methods:
        truth = PEERS["grad-cam"](exact, [method], images.double())[method]
        found = {
            "engine": by_engine(engine, [method], images)[method],
            "grad-cam": PEERS["grad-cam"](model, [method], images)[method],
            "engine on the exact map": on_exact_map(engine, exact, images, [method])[method],
        }
        pairs = {f"{name} from float64": (maps, truth) for name, maps in found.items()}
        pairs["engine from grad-cam"] = (found["engine"], found["grad-cam"])
        line = {
            name: {
                "maps": float(np.abs(a - b).max()),
                "mu": float(np.nanmax(np.abs(mu(a, model.wall) - mu(b, model.wall)))),
            }
            for name, (a, b) in pairs.items()
        }
        print(json.dumps({"method": method, **line}), flush=True)
    return 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="masked-vgg16")
    parser.add_argument("--width", type=float, default=1.0, help="of a masked VGG16, for a quick try")
    parser.add_argument("--device", type=available_device, default="cpu")
    parser.add_argument("--images", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2, help="of the CPU, where it computes")
    parser.add_argument("--precision", choices=["exact", "tf32x3", "fast"], default="exact")
    parser.add_argument(
        "--methods", nargs="+", choices=METHODS, default=[method for method in METHODS if method != "ScoreCAM"]
    )
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
