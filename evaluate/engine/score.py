"""ScoreCAM's weights, exact, on the pixels that can matter.

w = softmax over v of y(x ⊙ s(A_v)), with s the bilinear upsampling (corners aligned) and min–max of channel v's map
(Wang et al., "Score-CAM", CVPR-W 2020, as grad-cam computes it: raw scores, the normalised input multiplied). What lies
under the wall cannot change y, so only the seen part is masked and run. Masks that are zero all over it give one and
the same input, zero, whose score is computed once.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from stackwalls.model import BlindModel, Walled, parallel_map
from stackwalls.model.wall import Wall

_MIN_MAX_EPSILON = 1e-8

SeenParts = list[torch.Tensor]
"""The seen intervals of a batch of images, one tensor each (two around a band)."""


@dataclass(frozen=True)
class SeenScorer:
    """A network's logit from the seen parts of masked images, in two steps.

    Attributes:
        run: seen parts of `(N, 3, …)` masked images and a class index to something of `(N, …)` float32, a few images
            at a time.
        finish: that of all images of a map, and the class index, to the class's logits `(N,)`. A dense head is worth
            its own step: for few images, reading its weights takes longer than multiplying by them.
    """

    run: Callable[[SeenParts, int], torch.Tensor]
    finish: Callable[[torch.Tensor, int], torch.Tensor] = lambda found, _: found


def seen_parts(images: torch.Tensor, wall: Wall | None) -> SeenParts:
    """The intervals of `(…, H, W)` that lie outside the wall, or the whole where there is none; views."""
    if wall is None:
        return [images]
    if wall.axis == "rows":
        return [images[..., start:stop, :] for start, stop in wall.seen]
    return [images[..., start:stop] for start, stop in wall.seen]


def channel_masks(activations: torch.Tensor, size: int) -> torch.Tensor:
    """Channels' maps `(C, h, w)` as masks `(C, size, size)` in [0, 1]: bilinear, corners aligned, min–max."""
    masks = F.interpolate(activations[None], size=(size, size), mode="bilinear", align_corners=True)[0]
    low, high = torch.aminmax(masks.flatten(1), dim=1)
    return masks.sub_(low[:, None, None]).div_((high - low + _MIN_MAX_EPSILON)[:, None, None])


def walled_scorer(model: Walled) -> SeenScorer:
    """The scorer of a walled backbone: the extractor on each seen part, the head on their maps."""

    def score(parts: SeenParts, target: int) -> torch.Tensor:
        axis = 2 if model.wall.axis == "rows" else 3
        maps = [model.extractor(part.contiguous(memory_format=torch.channels_last)) for part in parts]
        logits: torch.Tensor = model.pooled_head(torch.cat(maps, axis))
        return logits[:, target].float()

    return SeenScorer(score)


def whole_image_scorer(model: BlindModel) -> SeenScorer:
    """The scorer of any other network: the whole image, zero in the dead zone."""

    def score(parts: SeenParts, target: int) -> torch.Tensor:
        size = max(parts[0].shape[-2:])
        images = parts[0].new_zeros((len(parts[0]), 3, size, size))
        for part, view in zip(parts, seen_parts(images, model.wall), strict=True):
            view.copy_(part)
        logits: torch.Tensor = model(images)
        return logits[:, target].float()

    return SeenScorer(score)


def score_weights(
    scorer: SeenScorer,
    image: torch.Tensor,
    activations: torch.Tensor,
    target: int,
    wall: Wall | None,
    batch: int,
    report: Callable[[int], None],
) -> torch.Tensor:
    """ScoreCAM's weights for one image.

    Args:
        scorer: of the network.
        image: `(3, H, W)` normalised.
        activations: `(C, h, w)` map of the target layer.
        target: the explained class.
        wall: the network's own, whose dead zone need not be computed.
        batch: masked images a call.
        report: called with the number of channels done.

    Returns:
        `(C,)` float32, summing to 1.
    """
    parts = seen_parts(image, wall)
    lit = activations.flatten(1).any(1).nonzero()[:, 0]

    def masked_runs(channels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Those of `channels` whose masks show something, and what the first step makes of them."""
        with torch.inference_mode():
            masks = seen_parts(channel_masks(activations[channels], image.shape[-1]), wall)
            shows = torch.stack([mask.flatten(1).any(1) for mask in masks]).any(0)
            if not shows.any():
                return channels[shows], nothing[:0]
            masked = [part * mask[shows, None] for part, mask in zip(parts, masks, strict=True)]
            return channels[shows], scorer.run(masked, target)

    nothing = scorer.run([torch.zeros_like(part)[None] for part in parts], target)
    shown, runs = [], [nothing]
    done = len(activations) - len(lit)
    groups = torch.split(lit, batch) if len(lit) else ()  # a map of nothing has no mask
    # on a CPU, calls side by side instead of kernels divided among threads; a GPU takes one after another
    with parallel_map() if image.device.type == "cpu" else nullcontext(map) as mapped:
        for channels, found in mapped(masked_runs, groups):
            shown.append(channels)
            runs.append(found)
            done += batch
            report(min(done, len(activations)))
    found = scorer.finish(torch.cat(runs), target)
    scores = found[:1].expand(len(activations)).clone()
    if shown:
        scores[torch.cat(shown)] = found[1:]
    return torch.softmax(scores, 0)
