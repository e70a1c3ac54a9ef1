"""The blindness certificate: the proof that a network does not see its dead zone, for the very network under test.

Four checks. *structure*: the wall follows from the layers. *intervention*: whatever is put into the dead zone, the
logits stay the same to the last bit. *gradient*: the logits' gradient there is exactly zero. *contrast*: outside the
wall the gradient is not zero, so that its absence inside means something.

A fifth, *layer*, for a network that is explained at another layer than its own: which cells of that map are dead, and
that no content of them changes a bit of the logits.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

from stackwalls.model.errors import InputError, reason_of
from stackwalls.model.networks.backbones.splitting import logits_of
from stackwalls.model.networks.backbones.zero_shot import class_texts
from stackwalls.model.networks.blind_model import BlindModel, wall_kind_of
from stackwalls.model.networks.files.weights import check_usable
from stackwalls.model.networks.layered_model import Layer, LayeredModel, explained_at, shown_name
from stackwalls.model.networks.proof.certificate import Certificate, Check, NotBlindError
from stackwalls.model.networks.registry import Network, asked_wall, find_network, is_walled
from stackwalls.model.runtime.device import is_out_of_memory, placed
from stackwalls.model.sampling import check_seed
from stackwalls.model.state import local_arithmetic, preserved
from stackwalls.model.wall import Wall

Forward = Callable[[torch.Tensor], torch.Tensor]

NUM_IMAGES = 2
"""Random images on which the checks run; two, so that each can be given the other's dead zone."""

_AMPLITUDES = (1.0, 10.0, 1000.0)
"""Scales of the noise put into the dead zone, in standard deviations of a normalized image."""


_CUT = (
    "The network's logits have no gradient at its input, which saliency methods and the certificate need: leave out "
    "torch.no_grad() and detach() in its forward pass (requires_grad_(False) freezes layers too)."
)


def _logits(name: str, model: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """The network's logits, checked.

    Raises:
        InputError: if it fails, or gives anything but `(N, classes)` numbers.
    """
    expected = f"expected logits (N, classes) as one tensor for images {tuple(images.shape)}"
    try:
        logits = logits_of(output := model(images))
    except (Exception, SystemExit) as error:  # whatever a user's network raises is the reason
        if is_out_of_memory(error):
            raise
        raise InputError(f"{name} does not run: {reason_of(error)}; {expected}.") from error
    if not isinstance(logits, torch.Tensor):
        raise InputError(f"{name} gives an object of type {type(output).__name__}: {expected}.")
    if logits.ndim != 2 or len(logits) != len(images) or not logits.is_floating_point():
        raise InputError(f"{name} gives {logits.dtype} {tuple(logits.shape)}: {expected}.")
    return logits


def _structure(model: nn.Module, wall: Wall) -> Check:
    if not isinstance(model, BlindModel):
        found = f"declared, not derived ({type(model).__name__} is not a BlindModel): it rests on the other checks"
        return Check("structure", True, found)
    derived = model.derive_wall()
    if derived == wall:
        return Check("structure", True, model.derivation())
    return Check("structure", False, f"the layers give {derived or 'no dead zone'}, not {wall}: {model.derivation()}")


def _interventions(
    images: torch.Tensor, zone: torch.Tensor, generator: torch.Generator
) -> Iterator[tuple[str, torch.Tensor]]:
    """Other contents of the zone of the same images: constants, noise of several amplitudes, each other's."""
    dead = images[..., zone]  # (N, 3, dead pixels)
    for value in (0.0, -_AMPLITUDES[-1]):
        yield f"constant {value:g}", torch.full_like(dead, value)
    for amplitude in _AMPLITUDES:
        yield f"noise × {amplitude:g}", torch.randn(dead.shape, generator=generator) * amplitude
    yield "another image's", dead.roll(1, dims=0)


def _intervention(
    forward: Forward, images: torch.Tensor, zone: torch.Tensor, generator: torch.Generator, what: str = "dead zone"
) -> Check:
    """On images, or on maps, whose `zone` `(H, W)` is said to be dead."""
    with torch.no_grad():
        before = forward(images)
        if not bool(before.isfinite().all()):
            return Check("intervention", False, "the logits are not finite, so nothing can be compared")
        worst, worst_name, tried = 0.0, "", 0
        for name, content in _interventions(images, zone, generator):
            changed = images.clone()
            changed[..., zone] = content
            after = forward(changed)
            tried += 1
            if not torch.equal(after, before):
                difference = float((after - before).abs().nan_to_num(float("inf")).max())
                worst, worst_name = max((worst, worst_name), (difference, name))
    if worst_name:
        return Check("intervention", False, f"the logits move by up to {worst:.3g} ({what}: {worst_name})")
    found = f"{tried} other contents of the {what}, on {len(images)} images: logits bit-identical"
    return Check("intervention", True, found)


def _layer(model: LayeredModel, images: torch.Tensor, generator: torch.Generator) -> list[Check]:
    """Which cells of the explained map are dead: by the layers, and by what becomes of other contents of them."""
    if (dead := model.dead_cells()) is None:
        return []
    with torch.no_grad():
        maps, rest = model.parts(images)

    def forward(changed: torch.Tensor) -> torch.Tensor:
        return model.from_parts(changed.to(maps), rest)

    found = _intervention(forward, maps.cpu(), dead, generator, "dead cells")
    with torch.no_grad():
        if torch.equal(forward(maps.cpu() * dead), forward(maps)):
            found = Check("layer", False, "the other cells change no logit either, so nothing is shown")
    return [replace(found, name="layer", found=f"{model.layer_derivation()}; {found.found}")]


def _zone(wall: Wall) -> torch.Tensor:
    return torch.from_numpy(wall.mask())


def _gradient_checks(
    forward: Forward, images: torch.Tensor, wall: Wall, generator: torch.Generator
) -> tuple[Check, Check]:
    """The input gradient is exactly zero in the dead zone, and is not outside."""
    images = images.detach().clone().requires_grad_(True)
    with torch.enable_grad():
        logits = forward(images)
        if not logits.requires_grad:
            raise InputError(_CUT)
        # random weights: a sum over all logits could cancel what single logits see
        weights = torch.randn(logits.shape, generator=generator).to(logits)
        (gradient,) = torch.autograd.grad((logits * weights).sum(), images, allow_unused=True)
        if gradient is None:
            raise InputError(_CUT)
    size = gradient.abs().cpu()
    dead = float(size[..., _zone(wall)].max())
    zero = Check("gradient", dead == 0, f"largest absolute input gradient in the dead zone: {dead:.3g}")
    return zero, _contrast(size, wall)


def _contrast(size: torch.Tensor, wall: Wall) -> Check:
    """The same gradient must be there outside the wall: else its absence inside would prove nothing."""
    zone = _zone(wall)
    largest = size.amax(dim=(0, 1)).masked_fill(zone, 0)  # (H, W)
    if not bool(largest.isfinite().all()):
        return Check("contrast", False, "the gradient is not finite outside the wall, so nothing can be compared")
    if not bool(largest.any()):
        return Check("contrast", False, "the gradient is zero outside the wall too: the network ignores its input")
    distance = 1
    while not bool(((around := _grown(zone, distance)) & (largest > 0)).any()):
        distance += 1
    where = "right at the wall" if distance == 1 else f"{distance - 1} pixels away from the wall"
    found = (
        f"largest absolute input gradient outside {float(largest.max()):.3g}; the nearest pixels that are seen "
        f"({float(largest[around].max()):.3g}) are {where}"
    )
    return Check("contrast", True, found)


def _grown(zone: torch.Tensor, by: int) -> torch.Tensor:
    """A `(H, W)` bool mask with all pixels at most `by` rows and columns away."""
    return F.max_pool2d(zone[None].float(), 2 * by + 1, stride=1, padding=by)[0] > 0


def certify(
    model: Network,
    wall: Wall | str | None = None,
    images: torch.Tensor | None = None,
    seed: int = 0,
    *,
    weights: str | Path | None = None,
    class_names: Sequence[str] | str | Path | None = None,
    classes_as: str | None = None,
    device: torch.device | str | None = None,
    layer: Layer | None = None,
) -> Certificate:
    """Check that `model` does not see the dead zone of `wall`.

    Args:
        model: maps `(N, 3, H, W)` images to `(N, classes)` logits. Left as it was found: mode, hooks, gradients. Or
            its name, or what makes it (see `find_network`).
        wall: the claimed wall, also as text such as "bottom:54"; the model's own `wall` by default.
        images: `(N, 3, H, W)` normalized images to check on; 2 images of Gaussian noise by default.
        seed: of the noise.
        weights: of a named network (see `load_model`).
        class_names: of a named network (see `load_model`).
        classes_as: see `load_model`.
        device: to check on, such as "cuda"; where the network is by default.
        layer: whose dead cells are checked too (see `LayeredModel.explain_at`); by default the one that the network is
            explained at, if it is not its own.

    Returns:
        The certificate, passed or not; `require_certificate` raises instead.

    Raises:
        InputError: if neither the call nor the model names a wall, `images` do not fit it, `seed` is out of range, or
            the model is unknown, gives no logits `(N, classes)` with a gradient, or has no such layer.
        RunError: if the weights of a named network cannot be loaded.
    """
    # for other networks a wall is a claim, which may fail
    asked = wall if isinstance(model, str) and is_walled(model) else None
    model = find_network(model, weights, asked, class_names=class_texts(class_names, classes_as))
    wall = asked_wall(wall, model) if isinstance(wall, str) else wall
    with placed(model, device), explained_at(model, layer):
        return _certify(model, wall or getattr(model, "wall", None), images, seed, layer is not None)


def _certify(
    model: nn.Module, wall: Wall | None, images: torch.Tensor | None, seed: int, layer_asked: bool
) -> Certificate:
    if wall is None:
        raise InputError("This network has no wall, so there is no dead zone to certify: name one (`wall=`, --wall).")
    check_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    if images is None:
        images = torch.randn((NUM_IMAGES, 3, wall.image_size, wall.image_size), generator=generator)
    elif images.ndim != 4 or images.shape[2:] != (wall.image_size, wall.image_size) or len(images) < 2:
        raise InputError(
            f"Expected `images` to be (N, 3, {wall.image_size}, {wall.image_size}) with N ≥ 2, but got "
            f"{tuple(images.shape)}."
        )
    images = images.detach().cpu()
    name = shown_name(model)
    check_usable(name, model)
    parameter = next(model.parameters(), torch.empty(0))
    device, dtype = parameter.device, parameter.dtype

    def forward(batch: torch.Tensor) -> torch.Tensor:
        return _logits(name, model, batch.to(device, dtype))

    with preserved(model), local_arithmetic():
        checks = [
            _structure(model, wall),
            _intervention(forward, images, _zone(wall), generator),
            *_gradient_checks(forward, images, wall, generator),
        ]
        if isinstance(model, LayeredModel) and (layer_asked or model.layer is not None):
            checks += _layer(model, images.to(device, dtype), generator)
    setting = {
        "images": len(images),
        "seed": seed,
        "device": device.type,
        "dtype": str(dtype).removeprefix("torch."),
        "torch": torch.__version__,
    }
    return Certificate(name, str(wall), wall.chance, tuple(checks), setting, wall_kind_of(model))


def require_certificate(model: nn.Module, wall: Wall | str | None = None, seed: int = 0) -> Certificate:
    """`certify`, for callers that need a network that passed.

    Raises:
        NotBlindError: if a check failed; the message says which and what was found.
    """
    certificate = certify(model, wall, seed=seed)
    if not certificate.passed:
        raise NotBlindError(
            f"{certificate.model} is not blind behind {certificate.wall}, so its maps cannot be judged against it: "
            + "; ".join(certificate.failures)
            + ". Name the wall that the network really has, or put it behind one: walled(model, 'bottom:64') "
            "(--model walled:NAME)."
        )
    return certificate
