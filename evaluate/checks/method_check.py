"""Is this method sound? Verdicts on one method, on small networks that are proven blind behind a wall."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cache, partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F

from stackwalls.evaluate.adapters import named_methods
from stackwalls.evaluate.checks.leak_diagnostics import seen_change, twins_of
from stackwalls.evaluate.checks.map_maker import MapMaker, activations_of
from stackwalls.evaluate.maps import Maps
from stackwalls.evaluate.metrics import mu
from stackwalls.evaluate.subject import Subject
from stackwalls.model import (
    Backbone,
    BlindModel,
    MaskedVGG16,
    Wall,
    Walled,
    WalledNetwork,
    WallKind,
    animals,
    require_certificate,
    to_input,
    walled,
)
from stackwalls.model.images.drawn import draw

ASPECTS: dict[str, str] = {
    "valid": "every map is (H, W), finite and ≥ 0",
    "weights": "the network's weights are unchanged afterwards",
    "repeated": "the same images give the same maps again",
    "alone": "an image's map does not depend on the others in its batch",
    "blind": "nothing is lit where the network cannot see, except for the cell that upsampling smears across the wall",
    "twins": "another image behind the wall, which changes no logit, does not change the visible part of the map",
}
"""What is checked, in order, and what passes."""

SAME = 1e-4
"""Largest relative difference of two maps that count as the same: rounding, in other batches and other orders."""

_CLASSES = 10


def tiny_masked_vgg() -> MaskedVGG16:
    """MaskedVGG16's geometry with a sixteenth of its channels and random weights (He et al. 2015): blind at the bottom.

    The wall follows from the layers, not from training, so random weights are as blind as any.
    """
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        model = MaskedVGG16(num_classes=_CLASSES, width=1 / 16)
        _initialize(model)
    return model.eval()


def tiny_walled(wall: str) -> Walled:
    """A small convolutional network of stride 32 with random weights behind a wall of any form and size."""
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        layers: list[nn.Module] = []
        for inputs, outputs, stride in ((3, 8, 4), (8, 16, 4), (16, 32, 2)):
            layers += [nn.Conv2d(inputs, outputs, 2 * stride - 1, stride, stride - 1), nn.ReLU()]
        head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, _CLASSES))
        backbone = Backbone("tiny", nn.Sequential(*layers), head)
        _initialize(backbone.features)
    return Walled(backbone, Wall.parse(wall)).eval()


def tiny_transformer(kind: WallKind) -> WalledNetwork:
    """A small vision transformer with random weights behind a wall of this kind; its map is what enters block 1."""
    import timm  # takes as long to import as all of the checks take

    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        options: dict[str, Any] = {"img_size": 64, "patch_size": 8, "embed_dim": 24, "depth": 3, "num_heads": 3}
        network = timm.create_model("vit_tiny_patch16_224", num_classes=_CLASSES, **options).eval()
        with torch.no_grad():
            for tensor in network.parameters():
                tensor.add_(0.2 * torch.randn_like(tensor))  # timm's are so small that maps are rounding
    return walled(network, "bottom:24@64", kind=kind, layer=1)


def _initialize(module: nn.Module) -> None:
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            if layer.bias is not None:
                # below zero, convolutions leave maps with dead and active cells, as in a trained network
                nn.init.constant_(layer.bias, -0.05 if isinstance(layer, nn.Conv2d) else 0.0)


_CORNER = "bottom:64+left:64@160"

NETWORKS: dict[str, Callable[[], BlindModel]] = {
    "bottom:54": tiny_masked_vgg,
    "top:64": partial(tiny_walled, "top:64"),
    _CORNER: partial(tiny_walled, _CORNER),
    "cut:bottom:24@64": partial(tiny_transformer, "cut"),
    "sink:bottom:24@64": partial(tiny_transformer, "sink"),
}
"""The networks by their wall: on several sides, and of other sizes, so that a method that highlights one side only, or
counts on 224 pixels, does not pass. The last two are transformers, behind both kinds of walls."""


@cache
def tiny_images(wall: Wall) -> NDArray[np.uint8]:
    """`(4, H, H, 3)` uint8: drawn animals, each with another of its class behind the wall."""
    classes, size = animals(), wall.image_size
    drawn = [classes[index * (len(classes) // 4)].index for index in range(4)]
    seen, dead = (
        np.stack([draw(each, 2 * index + other, size) for index, each in enumerate(drawn)]) for other in (0, 1)
    )
    return twins_of(seen, dead, wall)


@dataclass(frozen=True)
class Verdict:
    """One of `ASPECTS` of one method behind one wall: whether it holds (None: could not be checked), and what was seen.

    `value` is the number behind the words in `found`, if there is one.
    """

    wall: str
    aspect: str
    passed: bool | None
    found: str
    value: float | None = None


def check_method(method: object, wall: str, seed: int = 0) -> list[Verdict]:
    """Every aspect of a method, in any form that `evaluate` takes, behind one of the walls of `NETWORKS`.

    `seed` is that of the random numbers that the method draws.

    Raises:
        InputError: if it is not a method, or does not fit the network.
    """
    model = NETWORKS[wall]()
    subject = Subject.of(model)
    require_certificate(model, subject.wall, seed)
    named = named_methods([method])
    maker = MapMaker(subject, named, seed)

    def run(images: NDArray[np.uint8]) -> NDArray[Any] | str:
        """The method's maps for the classes that the network predicts, or why there are none."""
        inputs = to_input(images, subject.mean, subject.std)
        with torch.inference_mode():
            targets = model(inputs).argmax(1).tolist()
        [found] = maker.maps(inputs, targets).values()
        return np.asarray(found.maps) if isinstance(found, Maps) else found

    before = {key: value.clone() for key, value in model.state_dict().items()}
    first = run(tiny_images(subject.wall))
    left = {key for key, value in model.state_dict().items() if not torch.equal(value, before[key])}
    changed = sorted(left | subject.kept.changed)  # what an adapter restored was changed, too
    said = f"{changed[0]} and {len(changed) - 1} more changed" if changed else "unchanged"
    weights = Verdict(wall, "weights", not changed, said)
    if isinstance(first, str):
        missing = [Verdict(wall, aspect, None, "there are no maps to check") for aspect in list(ASPECTS)[2:]]
        return [Verdict(wall, "valid", False, first), weights, *missing]
    valid = Verdict(wall, "valid", True, f"{len(first)} maps of {first.shape[1]} × {first.shape[2]}")
    return [valid, weights, *_compared(subject, run, first, wall)]


def _compared(subject: Subject, run: Callable[..., Any], first: NDArray[Any], wall: str) -> Iterator[Verdict]:
    images = tiny_images(subject.wall)
    yield _same(wall, "repeated", first, run(images))
    singles = [run(images[index : index + 1]) for index in range(len(images))]
    failed = next((single for single in singles if isinstance(single, str)), None)
    yield _same(wall, "alone", first, failed or np.concatenate(singles))
    yield _blind(subject, first, wall)
    other = run(twins_of(images, np.roll(images, -1, axis=0), subject.wall))
    if isinstance(other, str):
        yield Verdict(wall, "twins", False, f"on the twins: {other}")
        return
    drift = float(np.nanmax(seen_change(first, other, subject.wall)))
    yield Verdict(wall, "twins", drift <= SAME, f"the visible part changes by up to {100 * drift:.2g} %", drift)


def _same(wall: str, aspect: str, first: NDArray[Any], second: NDArray[Any] | str) -> Verdict:
    if isinstance(second, str):
        return Verdict(wall, aspect, False, second)
    size = float(np.abs(first).max()) or 1.0
    difference = float(np.abs(first - second).max()) / size
    return Verdict(wall, aspect, difference <= SAME, f"maps differ by up to {100 * difference:.2g} %", difference)


def _blind(subject: Subject, maps: NDArray[Any], wall: str) -> Verdict:
    found = mu(maps, subject.wall)
    if np.isnan(found).all():
        return Verdict(wall, "blind", None, "every map is zero everywhere, which says nothing")
    mean = float(np.nanmean(found))
    inner = inner_zone(subject)
    lit = maps[:, inner].max(1, initial=0) > 1e-6 * maps.max((1, 2))  # less is rounding
    said = f"{int(lit.sum())} of {len(maps)} maps are lit there; mean mu {mean:.3f}, chance {subject.wall.chance:.3f}"
    return Verdict(wall, "blind", not lit.any(), said, mean)


def inner_zone(subject: Subject) -> NDArray[np.bool_]:
    """The dead zone without the first cell behind the wall of the target layer's map, into which upsampling smears.

    `(H, W)` bool, in pixels.
    """
    wall = subject.wall
    image = torch.zeros(1, 3, wall.image_size, wall.image_size, device=subject.device)
    cell = -(-wall.image_size // activations_of(subject, image).shape[-1])
    seen = torch.from_numpy(~wall.mask())[None].float()
    return np.asarray(F.max_pool2d(seen, 2 * cell + 1, stride=1, padding=cell)[0] == 0)


def verdicts_as_json(verdicts: Mapping[str, list[Verdict]]) -> dict[str, Any]:
    """Verdicts of several methods as JSON values: method → list, and whether all passed."""
    return {
        "format": 1,
        "aspects": ASPECTS,
        "methods": {name: [asdict(verdict) for verdict in found] for name, found in verdicts.items()},
        "passed": all(verdict.passed for found in verdicts.values() for verdict in found),
    }
