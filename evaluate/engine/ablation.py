"""AblationCAM's weights, exact, from one forward pass: w_v = (y − y_v) / y, with y_v the score without channel v.

Source: Desai and Ramaswamy, "Ablation-CAM" (WACV 2020), Definition 8 of Taimeskhanov et al. 2024, as grad-cam computes
it. The convolutions never run again. If
the head's first layer is dense, every channel's share of its output is known (the shares sum to it): 4.4 GMAC per image
for MaskedVGG16 instead of 3,958. There, the effect of removing a share is followed through the layers, because
y − y_v as the difference of two scores loses digits. Other heads run on batches of ablated maps.
"""

from collections.abc import Callable

import torch

from stackwalls.evaluate.engine.kernels import dense_layers, linear
from stackwalls.model import BlindModel, MaskedVGG16


def _dense_first_drops(model: MaskedVGG16, activations: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """How much the target class's score drops without each channel: `(N, C, h, w)` to `(N, C)`."""
    first, second, last = dense_layers(model.classifier)
    channels = activations.shape[1]
    seen = activations[:, :, : model.visible_rows].flatten(2)  # (N, C, 5·14)
    # (C, 5·14, dense): a view of the layer's own weights
    weights = first.weight.view(first.out_features, channels, seen.shape[2]).permute(1, 2, 0)
    shares = torch.bmm(seen.transpose(0, 1), weights)  # (C, N, dense)
    before = shares.sum(0) + first.bias
    hidden = linear(before.relu(), second)
    alive = seen.any(2)  # ablating an all-zero channel has no effect
    drops = torch.zeros_like(activations[:, :, 0, 0])
    for index, target in enumerate(targets):
        taken = alive[index].nonzero()[:, 0]
        drop = _rectified_drop(before[index], shares[taken, index])
        drop = _rectified_drop(hidden[index], linear(drop, second, bias=False))
        drops[index, taken] = drop @ last.weight[target]
    return drops


def _rectified_drop(whole: torch.Tensor, drop: torch.Tensor) -> torch.Tensor:
    """`whole.relu() − (whole − drop).relu()` without cancellation: `(dense,)` and `(channels, dense)`."""
    return torch.where(whole > 0, torch.minimum(drop, whole), (drop - whole).clamp_max(0))


def _head_scores(
    model: BlindModel,
    activations: torch.Tensor,
    targets: torch.Tensor,
    batch: int,
    report: Callable[[int], None],
    rest: torch.Tensor | None,
) -> torch.Tensor:
    """The target class's score without each channel, by the head on `batch` ablated maps at a time."""
    number, channels = activations.shape[:2]
    scores = activations.new_empty(number, channels)
    for index in range(number):
        for start in range(0, channels, batch):
            ablated = torch.arange(start, min(start + batch, channels), device=activations.device)
            maps = activations[index].expand(len(ablated), -1, -1, -1).clone()
            maps[torch.arange(len(ablated), device=activations.device), ablated] = 0
            beside = None if rest is None else rest[index].expand(len(maps), *rest.shape[1:])
            scores[index, ablated] = model.from_parts(maps, beside)[:, targets[index]].to(scores.dtype)
            report(index * channels + start + len(ablated))
    return scores


def ablation_weights(
    model: BlindModel,
    activations: torch.Tensor,
    targets: torch.Tensor,
    scores: torch.Tensor,
    batch: int,
    report: Callable[[int], None],
    rest: torch.Tensor | None = None,
) -> torch.Tensor:
    """AblationCAM's weights, `(N, C)` float32.

    Args:
        model: the network.
        activations: `(N, C, h, w)` map of the target layer, rectified.
        targets: `(N,)` explained classes.
        scores: `(N,)` their logits, y; if one is near 0 the weights blow up, as they do in grad-cam.
        batch: ablated maps per call of the head; a dense head takes images in proportion.
        report: called with the number of ablated maps done, of `N·C`.
        rest: what else the head needs of each image.
    """
    if isinstance(model, MaskedVGG16) and model.layer is None:
        images = max(1, batch // 8)  # 8 ablated maps take about as much memory as one image's shares
        parts: list[torch.Tensor] = []
        for part in zip(torch.split(activations, images), torch.split(targets, images), strict=True):
            parts.append(_dense_first_drops(model, *part))
            report(sum(found.numel() for found in parts))
        drops = torch.cat(parts)
    else:
        drops = scores[:, None] - _head_scores(model, activations, targets, batch, report, rest)
    return drops / scores[:, None]
