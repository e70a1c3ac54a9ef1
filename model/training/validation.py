"""What is measured: loss and accuracy on the validation images, and the finished network with its certificate."""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

import torch
import torch.nn.functional as F

from stackwalls.model.networks.files.weights import round_to_half
from stackwalls.model.networks.masked_vgg import MaskedVGG16
from stackwalls.model.networks.proof.certificate import Certificate
from stackwalls.model.networks.proof.checks import require_certificate
from stackwalls.model.networks.walled_network import WalledNetwork
from stackwalls.model.preprocessing import Transform, to_input
from stackwalls.model.training.loading import Batch, evaluation_batches
from stackwalls.model.training.training_data import TrainingData

TOP = 5
_BATCH = 64

_NAMED = ("name", "classes", "class_names")
"""What a record of the data has that the network's configuration says too, or the record elsewhere."""


@dataclass(frozen=True)
class Validation:
    """Loss and accuracy on the validation images.

    Attributes:
        images: number of images.
        loss: mean cross-entropy in nats, without label smoothing.
        top1: share of images whose class has the highest logit.
        top5: share of images whose class is among the five highest.
    """

    images: int
    loss: float
    top1: float
    top5: float


def validate(
    forward: Callable[[torch.Tensor], torch.Tensor],
    batches: Iterable[Batch],
    reduce: Callable[[torch.Tensor], torch.Tensor] = lambda total: total,
) -> Validation:
    """Measure a network.

    Args:
        forward: images `(N, 3, H, size)` uint8 to logits `(N, classes)`.
        batches: this process's share.
        reduce: adds up a `(4,)` tensor over all processes.
    """
    total = torch.zeros(4, dtype=torch.float64)  # images, sum of losses, top-1 hits, top-5 hits
    with torch.inference_mode():
        for images, positions in batches:
            logits = forward(images).float()
            losses = F.cross_entropy(logits, positions, reduction="none")
            best = logits.topk(min(TOP, logits.shape[1]), dim=1).indices == positions[:, None]
            found = torch.stack([torch.ones_like(losses), losses, best[:, 0], best.any(1)]).double().sum(1)
            total = total.to(found.device) + found
    count, loss, top1, top5 = reduce(total).tolist()
    return Validation(int(count), loss / count, top1 / count, top5 / count)


@dataclass(frozen=True)
class Outcome:
    """A finished training.

    Attributes:
        model: the weights of the best validation, float32, in evaluation mode, on the CPU.
        validation: measured in float32 on whole images.
        certificate: proof that the network does not see its dead zone; None for a baseline.
        training: data, recipe, seed, accuracy, versions and device, as JSON values.
    """

    model: MaskedVGG16 | WalledNetwork
    validation: Validation
    certificate: Certificate | None
    training: dict[str, Any]


def measure_outcome(
    model: MaskedVGG16 | WalledNetwork,
    data: TrainingData,
    described: dict[str, Any],
    best: dict[str, float],
    device: torch.device,
    *,
    transform: Transform,
    half: bool,
) -> Outcome:
    """Certify and measure the best network, as it was saved; `half` rounds its weights to 16 bits first.

    During training the network got only what it sees, perhaps in 16 bits. Here it gets whole images in float32 through
    its own `forward`, as for anyone who loads it.

    Raises:
        NotBlindError: if the network sees its dead zone.
    """
    if half:
        round_to_half(model)
    certificate = require_certificate(model) if model.wall else None
    model.to(device)
    batches = evaluation_batches(data, _BATCH, transform=transform, device=device)
    found = validate(lambda images: model(to_input(images.permute(0, 2, 3, 1), model.mean, model.std)), batches)
    model.cpu()
    training = {
        **described,
        "data": data.name,
        "data_details": {key: value for key, value in described["data"].items() if key not in _NAMED},
        "accuracy": {"dataset": data.name, "split": "val", **asdict(found)},
        "best_step": best.get("step"),
        "stored": "fp16" if half else "fp32",
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU",
        "versions": {name: version(name) for name in ("stackwalls", "torch", "torchvision", "accelerate")},
    }
    return Outcome(model, found, certificate, training)
