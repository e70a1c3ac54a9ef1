"""What a training ends with: the best weights, measured again as they are published, with their certificate."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from stackwalls.model.networks.certificate import Certificate, require_certificate
from stackwalls.model.networks.checkpoints import load_model_file
from stackwalls.model.networks.masked_vgg import MaskedVGG16
from stackwalls.model.preprocessing import to_input
from stackwalls.model.training.data.loading import evaluation_batches
from stackwalls.model.training.training_data import TrainingData
from stackwalls.model.training.validation import Validation, counts, validation_of

_BATCH = 64
_VERSIONS = ("stackwalls", "torch", "torchvision", "accelerate")


@dataclass(frozen=True)
class Outcome:
    """The network, and what is known of it.

    Attributes:
        model: the weights of the best validation, float32, in evaluation mode, on the CPU.
        validation: measured in float32 on whole pictures.
        certificate: that it does not see its dead zone; None for a baseline.
        training: data, recipe, seed, accuracy, versions and device, as JSON values.
    """

    model: MaskedVGG16
    validation: Validation
    certificate: Certificate | None
    training: dict[str, Any]


def measure_outcome(
    weights: Path,
    data: TrainingData,
    described: dict[str, Any],
    best: dict[str, float],
    device: torch.device,
    half: bool = False,
) -> Outcome:
    """Read the best weights, certify and measure them.

    While it was trained, the network got only the rows that it sees, perhaps in 16 bits. Here it gets whole pictures
    in float32, by its own `forward`: what anyone who loads the file will see.

    Args:
        weights: what `save_model` wrote.
        data: validation pictures.
        described: recipe, wall, seed and data, as JSON values.
        best: what is known of the best validation.
        device: where it is measured.
        half: whether the weights are rounded to 16 bits first.

    Raises:
        NotBlindError: if the network sees its dead zone.
    """
    model = load_model_file(weights)
    if half:
        model.rounded_to_half()
    certificate = require_certificate(model) if model.wall else None
    model.to(device)
    found = validation_of(
        counts(
            lambda pictures: model(to_input(pictures.permute(0, 2, 3, 1))),
            evaluation_batches(data, _BATCH, device=device),
        )
    )
    model.cpu()
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    accuracy = {"dataset": data.name, "split": "val", **found.to_dict()}
    training = {
        **described,
        "data": data.name,
        "data_details": {key: value for key, value in described["data"].items() if key not in ("name", "classes")},
        "accuracy": accuracy,
        "best_step": best.get("step"),
        "stored": "fp16" if half else "fp32",
        "device": name,
        "versions": {package: version(package) for package in _VERSIONS},
    }
    return Outcome(model, found, certificate, training)
