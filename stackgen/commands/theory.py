"""Show that GradCAM highlights what a network cannot see, before any training: figures, simulation against proof.

Draws thousands of small random networks that cannot see the lower half of a digit, and compares their mean GradCAM map
with its exact expectation and two lower bounds (docs/theory.md has the proofs). Writes digit.png, pixels.png,
sweeps.png, theory.json, and drawings of the two networks, cnn.png and masked-vgg16.png. Exit status 1 if the simulation
contradicts the theory by more than 4 standard errors.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import stackwalls.stackgen.commands._options as options

if TYPE_CHECKING:
    import torch

    from stackwalls.model.theory import Estimate, OneConvolution, SweepPoint

_DRAWS = 10_000
_DIGIT = 8
_CLASSES = 10
"""Logits of the network in digit.png, which explains the largest."""

_TOLERANCE = 4.0
"""Standard errors between simulation and theory that are attributed to chance."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    options.add_out(parser, "output folder", "figures")
    parser.add_argument("--draws", type=int, default=_DRAWS, metavar="N", help=f"random networks (default {_DRAWS:,})")
    options.add_shared(parser, seed="the networks")
    image = parser.add_mutually_exclusive_group()
    image.add_argument("--digit", type=int, default=_DIGIT, help=f"scikit-learn's digit, 0 to 9 (default {_DIGIT})")
    mnist = "instead, an image of MNIST's test set, from the Hugging Face Hub"
    image.add_argument("--mnist", type=int, metavar="INDEX", help=mnist)
    options.add_shared(parser, json="the result")


def run(args: argparse.Namespace) -> int:
    """Simulate, write the figures and the numbers, and report whether they agree with the theory."""
    import json
    from importlib.metadata import version

    from tqdm import tqdm

    from stackwalls.model import InputError, write_whole
    from stackwalls.model.theory import (
        SWEEPS,
        OneConvolution,
        estimate_gradcam,
        mnist_digit,
        padded,
        small_digit,
        sweep,
    )

    if args.out.exists() and not args.out.is_dir():
        raise InputError(f"Expected --out to be a folder, but {args.out} is a file.")
    digit = small_digit(args.digit) if args.mnist is None else mnist_digit(args.mnist)
    spec = OneConvolution()
    image = padded(digit, spec.kernel)
    estimate = estimate_gradcam(spec, image, args.draws, args.seed)
    swept = (point for parameter in SWEEPS for point in sweep(parameter, digit, args.draws, args.seed))
    count = sum(map(len, SWEEPS.values()))
    points = list(tqdm(swept, total=count, desc="sweeps", unit="shape", disable=None))
    summary = _summary(spec, image, estimate, points)
    result = {
        "picture": {"digit": args.digit} if args.mnist is None else {"mnist_test": args.mnist},
        "draws": args.draws,
        "seed": args.seed,
        "versions": {name: version(name) for name in ("stackwalls", "torch", "numpy")},
        **summary,
        "sweeps": [vars(point) for point in points],
    }
    args.out.mkdir(parents=True, exist_ok=True)
    _draw(args, image, spec, estimate, points)
    text = json.dumps(result, indent=2, sort_keys=True)
    write_whole(args.out / "theory.json", text.encode() + b"\n")
    options.print_result(args, json.loads(text), _report(args.out, summary, points))
    return 0 if summary["agrees"] else 1


def _summary(spec: OneConvolution, image: torch.Tensor, estimate: Estimate, points: list[SweepPoint]) -> dict[str, Any]:
    """How well simulation and theory agree; deviations in standard errors, signed where the sign matters."""
    import dataclasses

    from stackwalls.model.theory import INEQUALITIES, expected_gradcam, gradcam_lower_bound

    exact = expected_gradcam(spec, image)
    unseen = slice(spec.dead_start, None)
    from_exact = float(estimate.deviation(exact).abs().max())
    above = {name: float(estimate.deviation(gradcam_lower_bound(spec, image, name)).min()) for name in INEQUALITIES}
    sweep_from_exact = max(abs(point.mean - point.exact) / point.standard_error for point in points)
    within = from_exact <= _TOLERANCE and sweep_from_exact <= _TOLERANCE
    return {
        "network": dataclasses.asdict(spec),
        "dead_start": spec.dead_start,
        "largest_deviation_from_exact": from_exact,
        "smallest_deviation_above_bound": above,
        "largest_deviation_from_exact_in_sweeps": sweep_from_exact,
        "unseen_share_of_norm": {
            "simulated": float(estimate.mean[unseen].norm() / estimate.mean.norm()),
            "exact": float(exact[unseen].norm() / exact.norm()),
        },
        "agrees": within and min(above.values()) >= -_TOLERANCE,
    }


def _draw(
    args: argparse.Namespace, image: torch.Tensor, spec: OneConvolution, estimate: Estimate, points: list[SweepPoint]
) -> None:
    """Write the figures."""
    import dataclasses

    import torch

    from stackwalls.model import MaskedVGG16
    from stackwalls.model.files import whole_file
    from stackwalls.model.theory import plot_digit, plot_pixels, plot_stages, plot_sweeps, stages_of

    with torch.device("meta"):
        vgg = MaskedVGG16()
    networks = dataclasses.replace(spec, classes=_CLASSES).draw(1, torch.Generator().manual_seed(args.seed))
    figures = {
        "cnn.png": plot_stages(stages_of(spec), "[CNN]"),
        "masked-vgg16.png": plot_stages(stages_of(vgg), "the masked VGG16"),
        "digit.png": plot_digit(networks, image, estimate),
        "pixels.png": plot_pixels(spec, image, estimate),
        "sweeps.png": plot_sweeps(points),
    }
    for name, figure in figures.items():
        with whole_file(args.out / name) as file:
            figure.savefig(file, format="png", dpi=160, bbox_inches="tight", metadata={"Software": None})


def _report(out: Path, summary: dict[str, Any], points: list[SweepPoint]) -> str:
    share = summary["unseen_share_of_norm"]
    above = summary["smallest_deviation_above_bound"]
    lines = [
        f"{'':12}{'simulated':>12}{'± s.e.':>10}{'exact':>11}{'moments':>11}{'Chebyshev':>11}",
        *(
            f"{point.parameter:8}{point.value:<4g}{point.mean:12.5g}{point.standard_error:10.2g}{point.exact:11.5g}"
            f"{point.bounds['moments']:11.5g}{point.bounds['chebyshev']:11.5g}"
            for point in points
        ),
        "",
        "Expected GradCAM score at the brightest cell that the network does not see, and its two lower bounds.",
        f"Every cell of the digit is within {summary['largest_deviation_from_exact']:.1f} standard errors of the exact "
        f"score, and at most {max(0.0, -min(above.values())):.1f} below a bound.",
        f"Share of the mean map's norm in the unseen part: {share['simulated']:.3f} (exact {share['exact']:.3f}).",
        f"Simulation and theory {'agree' if summary['agrees'] else 'DISAGREE'}. Figures are in {out}.",
    ]
    return "\n".join(lines)
