"""What a training is made of: accelerate's accelerator, and the network with its first weights."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import torch
from torch.utils._triton import has_triton

from stackwalls.model.errors import InputError
from stackwalls.model.networks.masked_vgg import MAP_SIZE, VISIBLE_ROWS, MaskedVGG16
from stackwalls.model.training.data.batch_order import BatchOrder
from stackwalls.model.training.data.loading import Loader
from stackwalls.model.training.initialisation import calibrate
from stackwalls.model.training.optimisation import find_precision
from stackwalls.model.training.spec import Running, TrainingSpec
from stackwalls.model.training.training_data import TrainingData
from stackwalls.model.training.training_network import TrainingNetwork

_CALIBRATION = 64
"""Most pictures on which the first weights are scaled."""


def accelerator_for(spec: TrainingSpec, running: Running, out: Path) -> Any:
    """Accelerate's `Accelerator`: device, precision, processes, accumulation, tracker.

    Raises:
        InputError: if the device or the tracker is not there.
    """
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState, GradientState
    from accelerate.tracking import LOGGER_TYPE_TO_CLASS, get_available_trackers

    if running.device not in (None, "cpu", "cuda"):
        raise InputError(f"Expected --device cpu or cuda, but got {running.device!r}.")
    if running.device == "cuda" and not torch.cuda.is_available():
        raise InputError("There is no CUDA GPU that torch can use: drop --device cuda.")
    device = torch.device(running.device or ("cuda" if torch.cuda.is_available() else "cpu"))
    if running.tracker and running.tracker not in [str(name) for name in get_available_trackers()]:
        known = running.tracker in LOGGER_TYPE_TO_CLASS
        advice = f"pip install {running.tracker}" if known else f"expected {', '.join(LOGGER_TYPE_TO_CLASS)}"
        raise InputError(f"The tracker {running.tracker!r} is not {'installed' if known else 'known'}: {advice}.")
    # a second training in one process may have another precision
    AcceleratorState._reset_state()
    GradientState._reset_state()
    return Accelerator(
        mixed_precision=find_precision(spec.recipe.precision, device),
        gradient_accumulation_steps=running.accumulation,
        cpu=device.type == "cpu",
        log_with=running.tracker,
        project_dir=str(out),
    )


def compiles(device: torch.device) -> bool:
    """Whether `torch.compile` can make kernels for a device that are worth the wait: for a GPU, with what it needs.

    On two CPU cores it took five minutes and gained nothing.
    """
    compilers = (os.environ.get("CC"), "cc", "gcc", "clang")
    return device.type == "cuda" and has_triton() and any(shutil.which(name) for name in compilers if name)


def build_network(
    data: TrainingData,
    spec: TrainingSpec,
    order: BatchOrder,
    device: torch.device,
    compiled: bool | None,
    *,
    begun: bool,
) -> TrainingNetwork:
    """The network on its device, with first weights that follow from the seed and the data.

    Args:
        data: classes, and pictures to calibrate on.
        spec: recipe, wall and seed.
        order: of the pictures; the first ones are calibrated on.
        device: where it is trained.
        compiled: whether its convolutions run through `torch.compile`; None where that pays and can be.
        begun: whether a checkpoint's weights will replace the first ones.
    """
    torch.manual_seed(spec.seed)
    model = MaskedVGG16(
        visible_rows=VISIBLE_ROWS if spec.masked else MAP_SIZE,
        num_classes=len(data.classes),
        width=spec.recipe.width,
        classes=data.classes,
    )
    network = TrainingNetwork(model, spec.recipe.dropout, compiles(device) if compiled is None else compiled)
    if spec.recipe.initialisation == "calibrated" and not begun:
        alone = BatchOrder(order.size, order.batch_size, order.seed)  # every process looks at the same pictures
        pictures, _ = next(Loader(data, alone, spec.recipe, range(1), rows=network.rows))
        calibrate(network, pictures[:_CALIBRATION])
    return network.to(device)
