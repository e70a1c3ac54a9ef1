"""The libraries that the engine is timed against, each called as its own README calls it; a dict of maps comes back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytorch_grad_cam
import torch
from pytorch_grad_cam import ablation_cam, score_cam
from pytorch_grad_cam.ablation_layer import AblationLayer

from stackwalls.evaluate.maps import normalized_maps
from stackwalls.model import BlindModel

MapsOf = dict[str, np.ndarray]


@dataclass(frozen=True)
class Peer:
    """A library: which methods it has, and how they are called on a batch."""

    methods: Sequence[str]
    call: Callable[[BlindModel, Sequence[str], torch.Tensor], MapsOf]

    def __call__(self, model: BlindModel, methods: Sequence[str], images: torch.Tensor) -> MapsOf:
        model.requires_grad_(True)
        try:
            return self.call(model, methods, images)
        finally:
            model.requires_grad_(False)
            model.zero_grad()


_GRAD_CAM = {"GradCAM++": "GradCAMPlusPlus"}


def _grad_cam(model: BlindModel, methods: Sequence[str], images: torch.Tensor) -> MapsOf:
    for module in (ablation_cam, score_cam):
        module.tqdm.tqdm = lambda items, **_: items  # its own progress bars
    maps = {}
    for method in methods:
        extra = {"ablation_layer": AblationLayer()} if method == "AblationCAM" else {}
        make = getattr(pytorch_grad_cam, _GRAD_CAM.get(method, method))
        with make(model=model, target_layers=[model.target_layer], **extra) as cam:
            maps[method] = cam(input_tensor=images, targets=None)
    return maps


_TORCH_CAM = {"GradCAM": "GradCAM", "GradCAM++": "GradCAMpp", "XGradCAM": "XGradCAM", "ScoreCAM": "ScoreCAM"}


def _torch_cam(model: BlindModel, methods: Sequence[str], images: torch.Tensor) -> MapsOf:
    from torchcam import methods as torch_cam

    maps = {}
    for method in methods:
        with getattr(torch_cam, _TORCH_CAM[method])(model, target_layer=model.target_layer) as extractor:
            logits = model(images)
            (found,) = extractor(logits.argmax(1).tolist(), logits)
        maps[method] = _upsampled(found.detach(), images)
    return maps


def _captum(model: BlindModel, methods: Sequence[str], images: torch.Tensor) -> MapsOf:
    from captum.attr import LayerFeatureAblation, LayerGradCam, LayerGradientXActivation

    maps = {}
    for method in methods:
        targets = model(images).argmax(1).detach()
        found: Any
        if method == "GradCAM":
            found = LayerGradCam(model, model.target_layer).attribute(images, targets)[:, 0]
        elif method == "HiResCAM":
            found = LayerGradientXActivation(model, model.target_layer).attribute(images, targets).sum(1)
        else:
            # one channel of the map at a time: y - y_v, which AblationCAM divides by y
            with torch.no_grad():
                activations = model.features(images)
                channels = torch.arange(activations.shape[1], device=images.device).view(1, -1, 1, 1)
                ablation = LayerFeatureAblation(model, model.target_layer)
                drop = ablation.attribute(images, target=targets, layer_mask=channels)[:, :, :1, :1]
                score = model(images).gather(1, targets[:, None])[..., None, None]
                found = (drop / score * activations).sum(1)
        maps[method] = _upsampled(found.detach(), images)
    return maps


def _upsampled(raw: torch.Tensor, images: torch.Tensor) -> np.ndarray:
    return normalized_maps(raw, images.shape[-1]).cpu().numpy()


PEERS = {
    "grad-cam": Peer(
        ["GradCAM", "GradCAM++", "XGradCAM", "EigenCAM", "HiResCAM", "AblationCAM", "ScoreCAM"], _grad_cam
    ),
    "torch-cam": Peer(list(_TORCH_CAM), _torch_cam),
    "captum": Peer(["GradCAM", "HiResCAM", "AblationCAM"], _captum),
}

MU_IS_ITS_OWN = {"torch-cam": "torch-cam defines GradCAM++ and ScoreCAM otherwise: other maps, no error"}
