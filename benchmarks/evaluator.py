"""The evaluator's whole table: the engine against grad-cam, torch-cam and captum, part by part.

    python benchmarks/evaluator.py                                   # all parts, an hour on two cores
    python benchmarks/evaluator.py --parts single-default single-tuned
    python benchmarks/evaluator.py --width 0.0625 --repeats 1        # a quick try, whose ratios mean nothing
    python benchmarks/evaluator.py --device cuda --images 16

Each part is a run of `engine.py` in a process of its own, since glibc reads its settings when a process begins:
`default` is the allocator as users have it, `tuned` keeps freed blocks, for all sides. No part takes more than eight
minutes on two cores of a machine that does nothing else; on a busy one the ratios are noise.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from devices import available_device

ENGINE = Path(__file__).with_name("engine.py")
REPEATS = {"single": "5", "ablation": "2", "score": "2"}
"""Pairs of runs of the quick parts, the others one; `--repeats` sets another number for all."""

_ONE = ["--images", "1"]
_BLOCK = ["--images", "32"]  # as `evaluate` takes them
_PEERS = ["--groups", "single", "ablation", "score", *_ONE]
PARTS: dict[str, list[str]] = {
    "single-default": ["--groups", "single", *_BLOCK],
    "single-tuned": ["--groups", "single", *_BLOCK, "--allocator", "tuned"],
    "ablation-default": ["--groups", "single+ablation", *_ONE],
    "score-default": ["--groups", "score", *_ONE],
    "score-tuned": ["--groups", "score", *_ONE, "--allocator", "tuned"],
    "all-default": ["--groups", "all", *_ONE],
    "all-tuned": ["--groups", "all", *_ONE, "--allocator", "tuned"],
    "fast-default": ["--groups", "all", *_ONE, "--precision", "fast"],
    "tf32x3-default": ["--groups", "all", *_ONE, "--precision", "tf32x3"],
    "torch-cam-default": [*_PEERS, "--peers", "torch-cam"],
    "captum-default": [*_PEERS, "--peers", "captum"],
}
"""Name → arguments of `engine.py`; the part of the name behind the last dash is the allocator."""

HEADINGS = [
    "part", "methods", "engine, s/image", "other, s/image", "ratio (range)", "maps differ by", "mu by",
    "of the convolution rate",
]  # fmt: skip


def measured(part: str, args: argparse.Namespace) -> list[dict[str, Any]]:
    """The lines that a part's run prints, the setting first; they are passed on as they come."""
    group = part.rsplit("-", 1)[0]
    given = [*PARTS[part], "--repeats", str(args.repeats or REPEATS.get(group, 1)), "--device", args.device]
    given += ["--width", str(args.width), "--seed", str(args.seed)]
    if args.threads:
        given += ["--threads", str(args.threads)]
    if args.images:
        given += ["--images", str(args.images)]  # the last one counts
    command = [sys.executable, str(ENGINE), *given]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ.copy()) as process:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            print(line, end="", flush=True)
            lines.append(json.loads(line))
    if process.returncode:
        raise SystemExit(f"{part} ended with status {process.returncode}: {' '.join(command)}")
    return lines


def rows(part: str, lines: list[dict[str, Any]]) -> list[list[str]]:
    """The table's lines of one part."""
    shares = {line["group"]: line["share"] for line in lines if "share" in line}
    found = []
    for line in lines:
        if "against" not in line:
            continue
        other, share = line["against"], shares.get(line["group"])
        ratio = f"{line['ratio']:.3g} ({line['ratio_min']:.3g}–{line['ratio_max']:.3g})"
        theirs = f"{line[f'{other}_s_per_image']:.3g} ({other})"
        differences = [
            "–" if line[name] is None else f"{line[name]:.1e}"
            for name in ("largest_map_difference", "largest_mu_difference")
        ]
        methods = ", ".join(line["methods"])
        ours = f"{line['engine_s_per_image']:.3g}"
        found.append([part, methods, ours, theirs, ratio, *differences, f"{share:.0%}" if share else "–"])
    return found


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    usual = [part for part in PARTS if part != "tf32x3-default"]  # which a CPU has not
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=usual)
    parser.add_argument("--device", type=available_device, default="cpu")
    parser.add_argument(
        "--threads", type=int, help="of the CPU, for all sides (default: 2 for runs on the CPU, all beside a GPU)"
    )
    parser.add_argument("--images", type=int, help="a call, instead of each part's own number")
    parser.add_argument("--repeats", type=int, help="pairs of runs, instead of each part's own number")
    parser.add_argument("--width", type=float, default=1.0, help="of the network, for a quick try")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def main() -> int:
    args = arguments()
    table = [HEADINGS, ["---"] * len(HEADINGS)]
    for part in args.parts:
        table += rows(part, measured(part, args))
    print(*(f"| {' | '.join(line)} |" for line in table), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
