"""ScoreCAM's weights, exact, from the pixels that can matter.

w = softmax over v of y(x ⊙ s(A_v)), with s the bilinear upsampling (corners aligned) and min–max of channel v's map
(Wang et al., "Score-CAM", CVPR-W 2020, as grad-cam computes it: raw scores, the normalized input multiplied, so that a
mask leaves the dataset's mean color). `pixel_score_cam` masks the pixels in [0, 1] before they are normalized, as in
Definition 7 of Taimeskhanov et al. 2024, so that a mask leaves black. What is behind the wall cannot change y, so only
the seen part is masked and run. Masks that are zero all over it give the same input, whose score is computed once.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial

import torch
import torch.nn.functional as F
from torch import nn

from stackwalls.evaluate.engine.batch_sizes import BatchSizes
from stackwalls.evaluate.engine.kernels import Features, SplitProducts, conv_relu, dense_layers, linear
from stackwalls.evaluate.maps import normalized_maps
from stackwalls.model import BlindModel, InputError, MaskedVGG16, Wall, Walled, parallel_map
from stackwalls.model.networks.geometry.seen_rows import rows_needed
from stackwalls.model.networks.walled_model import joined

SeenParts = list[torch.Tensor]
"""The seen intervals of a batch of images, one tensor each (two around a band)."""


@dataclass(frozen=True)
class SeenScorer:
    """A network's logit from the seen parts of masked images, in two steps.

    `run`: seen parts of `(N, 3, …)` masked images and a class index to something of `(N, …)` float32, a few images at a
    time. `finish`: that of all images of a map to the class's logits `(N,)`. A dense head gets a step of its own: for
    few images, reading its weights takes longer than multiplying by them.
    """

    run: Callable[[SeenParts, int], torch.Tensor]
    finish: Callable[[torch.Tensor, int], torch.Tensor] = lambda found, _: found


def scorer_of(model: BlindModel, batch: int, dtype: torch.dtype = torch.float32, tf32x3: bool = False) -> SeenScorer:
    """The fastest scorer of a network in evaluation mode, for `batch` masked images per call.

    `dtype` is that of the convolutions. With `tf32x3`, a float32 product is made of three TF32 ones.
    """
    if isinstance(model, MaskedVGG16):
        rows = SeenRows(model, batch, dtype)
        scorer = SeenScorer(lambda parts, _: rows.features(parts[0]), rows.scores)
    elif isinstance(model, Walled):
        scorer = SeenScorer(partial(_walled_scores, model))
    else:
        scorer = SeenScorer(partial(_whole_image_scores, model))
    if tf32x3:
        split = SplitProducts()  # one for all calls: it keeps the weights that it has split
        return _run_inside(scorer, lambda: split)
    if dtype != torch.float32 and not isinstance(model, MaskedVGG16):  # whose rows have this type already
        return _run_inside(scorer, partial(torch.autocast, next(model.parameters()).device.type, dtype))
    return scorer


def _run_inside(scorer: SeenScorer, context: Callable[[], AbstractContextManager[object]]) -> SeenScorer:
    """The same with its first step in a context, created for each call: on a CPU, calls run side by side."""

    def run(parts: SeenParts, target: int) -> torch.Tensor:
        with context():
            return scorer.run(parts, target)

    return replace(scorer, run=run)


def _walled_scores(model: Walled, parts: SeenParts, target: int) -> torch.Tensor:
    """The extractor on each seen part, the head on their maps."""
    maps = [model.extractor(part.contiguous(memory_format=torch.channels_last)) for part in parts]
    logits: torch.Tensor = model.pooled_head(joined(maps))
    return logits[:, target].float()


def _whole_image_scores(model: BlindModel, parts: SeenParts, target: int) -> torch.Tensor:
    """Any other network on the whole image, which is zero in the dead zone."""
    size = max(parts[0].shape[-2:]) if model.wall is None else model.wall.image_size
    images = parts[0].new_zeros((len(parts[0]), 3, size, size))
    for part, view in zip(parts, seen_parts(images, model.wall), strict=True):
        view.copy_(part)
    logits: torch.Tensor = model(images)
    return logits[:, target].float()


class SeenRows:
    """A masked VGG16's convolutions on the rows that its head depends on (`model.networks.seen_rows`), and its head.

    From 170 of 224 input rows to 7 of 14 in the last block: 66 % of the multiplications. The convolutions' weights are
    copied as `dtype` (59 MB in float32) into the device's fastest layout for `batch` images per call; a CPU takes them
    one by one. The head runs in float32.
    """

    def __init__(self, model: MaskedVGG16, batch: int, dtype: torch.dtype = torch.float32) -> None:
        self.model, self.dtype = model, dtype
        on_cpu = next(model.parameters()).device.type == "cpu"
        # on a CPU, the maps of more do not fit its caches, and one image's rows are cut off without a copy
        self.batch = 1 if on_cpu else batch
        needed = rows_needed(model.convolutions, model.visible_rows, model.image_size)
        self.seen = needed[0]
        self.steps: list[tuple[Features | None, int]] = []
        side, channels = model.image_size, 3
        for layer, rows_in, rows_out in zip(model.convolutions, needed, needed[1:], strict=False):
            if isinstance(layer, nn.Conv2d):
                self.steps.append((conv_relu(layer, (self.batch, channels, rows_in, side), dtype), rows_out))
                channels = layer.out_channels
            elif isinstance(layer, nn.MaxPool2d):
                side //= 2
                self.steps.append((None, rows_out))
            # a ReLU is part of the convolution before it

    def features(self, seen_images: torch.Tensor) -> torch.Tensor:
        """`(N, 3, 170, 224)` normalized images, seen rows only, to `(N, C·5·14)` float32, the head's input."""
        return torch.cat([self._features(part) for part in torch.split(seen_images, self.batch)])

    def _features(self, seen_images: torch.Tensor) -> torch.Tensor:
        x = seen_images.to(self.dtype).contiguous(memory_format=torch.channels_last)
        for step, rows in self.steps:
            x = F.max_pool2d(x, 2) if step is None else step(x)
            # cutting wrong rows off costs a copy, which pays if a row is a large share of the map
            if x.shape[2] > rows and (step is None or x.shape[2] < 50):
                x = x[:, :, :rows].contiguous(memory_format=torch.channels_last)
        return x[:, :, : self.model.visible_rows].float().flatten(1)

    def scores(self, features: torch.Tensor, target: int) -> torch.Tensor:
        """The head's logit of class `target`: `(N, C·5·14)` to `(N,)`."""
        first, second, last = dense_layers(self.model.classifier)
        hidden = linear(linear(features, first, relu=True), second, relu=True)
        return hidden @ last.weight[target] + last.bias[target]


def seen_parts(images: torch.Tensor, wall: Wall | None) -> SeenParts:
    """The pieces of `(…, H, W)` outside the wall, or the whole if there is none; views."""
    if wall is None:
        return [images]
    return [images[(..., *box.slices)] for box in wall.seen]


def channel_masks(activations: torch.Tensor, size: int) -> torch.Tensor:
    """Channels' maps `(C, h, w)` as masks `(C, size, size)` in [0, 1]: bilinear, corners aligned, min–max."""
    masks = F.interpolate(activations[None], size=(size, size), mode="bilinear", align_corners=True)[0]
    low, high = torch.aminmax(masks.flatten(1), dim=1)
    return masks.sub_(low[:, None, None]).div_((high - low + 1e-8)[:, None, None])


def score_weights(
    scorer: SeenScorer,
    image: torch.Tensor,
    activations: torch.Tensor,
    target: int,
    wall: Wall | None,
    batch: int,
    report: Callable[[int], None] = lambda done: None,
    empty: torch.Tensor | float = 0.0,
) -> torch.Tensor:
    """ScoreCAM's weights for one image, `(C,)` float32, summing to 1.

    Args:
        scorer: of the network.
        image: `(3, H, W)` normalized.
        activations: `(C, h, w)` map of the target layer.
        target: the explained class.
        wall: the network's own, whose dead zone need not be computed.
        batch: masked images per call.
        report: called with the number of channels done.
        empty: the normalized value of pixels at which a mask is 0, `(3, 1, 1)` or one number.
    """
    parts = seen_parts(image - empty, wall)
    lit = activations.flatten(1).any(1).nonzero()[:, 0]

    def masked_runs(channels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The `channels` whose masks show something, and what the first step makes of them."""
        with torch.inference_mode():
            masks = seen_parts(channel_masks(activations[channels], image.shape[-1]), wall)
            shows = torch.stack([mask.flatten(1).any(1) for mask in masks]).any(0)
            if not shows.any():
                return channels[shows], nothing[:0]
            masked = [part * mask[shows, None] + empty for part, mask in zip(parts, masks, strict=True)]
            return channels[shows], scorer.run(masked, target)

    nothing = scorer.run([torch.zeros_like(part)[None] + empty for part in parts], target)
    shown, runs = [], [nothing]
    done = len(activations) - len(lit)
    groups = torch.split(lit, batch) if len(lit) else ()  # an all-zero map has no mask
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


def pixel_score_cam(model: nn.Module, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """ScoreCAM to the letter of the paper: the masks multiply the pixels in [0, 1], and then these are normalized.

    grad-cam's ScoreCAM, `--method ScoreCAM`, multiplies the normalized input. This one is a method of its own:
    `stackgen evaluate DATASET --method stackwalls.evaluate:pixel_score_cam`. The definition's - f(image), the same for
    all channels, does not change the softmax.

    Args:
        model: a `BlindModel`, in evaluation mode.
        inputs: `(N, 3, H, W)` float32, normalized by the model's mean and standard deviation.
        targets: `(N,)` int64, the explained classes.

    Returns:
        `(N, H, W)` float32 in [0, 1], scaled and upsampled as grad-cam does.

    Raises:
        InputError: if the model is not a `BlindModel`.

    Source: Taimeskhanov, Sicre, Garreau 2024, Definition 7 (appendix A).
    """
    if not isinstance(model, BlindModel):
        raise InputError(f"Expected a network of stackwalls (a BlindModel), but got {type(model).__name__}.")
    sizes = BatchSizes.usual(inputs.device)
    scorer = scorer_of(model, sizes.masked)
    black = -(inputs.new_tensor(model.mean) / inputs.new_tensor(model.std)).view(3, 1, 1)
    maps = []
    with torch.no_grad():
        for image, activations, target in zip(inputs, model.features(inputs), targets.tolist(), strict=True):
            weigh = partial(score_weights, scorer, image, activations, target, model.wall, empty=black)
            weights = sizes.shrinking("masked", weigh, len(activations))
            maps.append(torch.tensordot(weights, activations, 1))
    return normalized_maps(torch.stack(maps), inputs.shape[-1])
