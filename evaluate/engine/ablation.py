"""AblationCAM's weights, exact, from one forward pass: w_v = (y − y_v) / y, with y_v the score without channel v.

Source: Desai and Ramaswamy, "Ablation-CAM" (WACV 2020), as grad-cam computes it. The convolutions are never run again.
For a head whose first layer is dense, every channel's share of that layer's output is known (the shares sum to it), so
that taking a channel away is a subtraction: 4.4 GMAC an image for MaskedVGG16 instead of 3,958. Other heads run on
batches of ablated maps.
"""

from __future__ import annotations

import torch

from stackwalls.evaluate.engine.kernels import dense_layers, linear
from stackwalls.model import BlindModel, MaskedVGG16

_MAPS_PER_IMAGE = 8
"""How many ablated maps of a head's batch take about as much memory as one image's shares of the dense layer."""


def _dense_first_scores(model: MaskedVGG16, activations: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Score of the target class without each channel: `(N, C, h, w)` to `(N, C)`."""
    first, second, last = dense_layers(model.classifier)
    number, channels = activations.shape[:2]
    seen = activations[:, :, : model.visible_rows].flatten(2)  # (N, C, 5·14)
    # (C, 5·14, dense): a view of the layer's own weights
    weights = first.weight.view(first.out_features, channels, seen.shape[2]).permute(1, 2, 0)
    shares = torch.bmm(seen.transpose(0, 1), weights)  # (C, N, dense)
    whole = shares.sum(0) + first.bias
    alive = seen.any(2)  # taking a channel away that is nothing changes nothing
    scores = torch.empty_like(activations[:, :, 0, 0])
    for index in range(number):
        taken = alive[index].nonzero()[:, 0]
        # the last row takes nothing away
        before = torch.cat([whole[index] - shares[taken, index], whole[index : index + 1]]).relu_()
        hidden = linear(before, second, relu=True)
        found = hidden @ last.weight[targets[index]] + last.bias[targets[index]]
        scores[index] = found[-1]
        scores[index, taken] = found[:-1]
    return scores


def _head_scores(model: BlindModel, activations: torch.Tensor, targets: torch.Tensor, batch: int) -> torch.Tensor:
    """Score of the target class without each channel, by the head on `batch` ablated maps at a time."""
    number, channels = activations.shape[:2]
    scores = activations.new_empty(number, channels)
    for index in range(number):
        for start in range(0, channels, batch):
            ablated = torch.arange(start, min(start + batch, channels), device=activations.device)
            maps = activations[index].expand(len(ablated), -1, -1, -1).clone()
            maps[torch.arange(len(ablated), device=activations.device), ablated] = 0
            scores[index, ablated] = model.head(maps)[:, targets[index]].to(scores.dtype)
    return scores


def ablation_weights(
    model: BlindModel, activations: torch.Tensor, targets: torch.Tensor, scores: torch.Tensor, batch: int
) -> torch.Tensor:
    """AblationCAM's weights.

    Args:
        model: the network.
        activations: `(N, C, h, w)` map of the target layer, rectified.
        targets: `(N,)` explained classes.
        scores: `(N,)` their logits, y; where one is near 0 the weights blow up, as they do in grad-cam.
        batch: ablated maps a call of the head; the split takes images in proportion.

    Returns:
        `(N, C)` float32.
    """
    if isinstance(model, MaskedVGG16):
        images = max(1, batch // _MAPS_PER_IMAGE)
        parts = zip(torch.split(activations, images), torch.split(targets, images), strict=True)
        without = torch.cat([_dense_first_scores(model, *part) for part in parts])
    else:
        without = _head_scores(model, activations, targets, batch)
    return (scores[:, None] - without) / scores[:, None]
