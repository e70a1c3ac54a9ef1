"""From a name on the command line to a network."""

import difflib
from collections.abc import Callable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any, TypeAlias

from torch import nn

from stackwalls.model.errors import InputError
from stackwalls.model.imports import is_import_spec, model_from
from stackwalls.model.networks.blind_model import BlindModel
from stackwalls.model.networks.checkpoints import load_authors_checkpoint, load_model_file
from stackwalls.model.networks.masked_vgg import MaskedVGG16
from stackwalls.model.networks.pretrained import PretrainedFiles, find_pretrained, is_hub_id
from stackwalls.model.networks.walled_model import Walled, walled
from stackwalls.model.wall import VGG16_WALL, Wall

WALLED_PREFIX = "walled:"

Network: TypeAlias = nn.Module | str | Path | Callable[[], nn.Module]
"""Whatever `find_network` takes."""


def _vgg16(path: Path, masked: bool) -> BlindModel:
    if path.suffix != ".safetensors":
        return load_authors_checkpoint(path, masked=masked)
    model = load_model_file(path)
    if (model.wall is not None) != masked:
        asked, found = ("masked", "baseline") if masked else ("baseline", "masked")
        raise InputError(f"{path} holds the {found} VGG16, not the {asked} one: use `--model {found}-vgg16`.")
    return model


MODELS = {"masked-vgg16": "params_vgg16_masked.pt", "baseline-vgg16": "params_vgg16_baseline.pt"}
"""Networks that are loaded from a weights file → the file that the authors published."""

MINIATURES = {"mini-masked-vgg16": "masked-vgg16", "mini-baseline-vgg16": "baseline-vgg16"}
"""Networks whose weights are in the package → folder in `miniature/`: narrow, trained on drawn animals."""

ARCHITECTURES: dict[str, Callable[[Mapping[str, Any], PretrainedFiles], BlindModel]] = {
    "MaskedVGG16": MaskedVGG16.restored,
    "Walled": Walled.restored,
}
"""Architecture named by a config.json → function that restores it."""


def _unknown(spec: str) -> InputError:
    near = difflib.get_close_matches(spec, [*MODELS, *MINIATURES], n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    known = ", ".join([*MODELS, *MINIATURES])
    return InputError(
        f"Unknown model {spec!r}: expected one of {known}, {WALLED_PREFIX}NAME with a torchvision or timm "
        f"backbone, such as {WALLED_PREFIX}resnet50, a folder that save_pretrained wrote, or user/name[@revision] on "
        f"the Hub.{hint}"
    )


def load_model(
    spec: str, weights: str | Path | None = None, wall: Wall | None = None, dataset_wall: Wall | None = None
) -> BlindModel:
    """Load the network that a name stands for.

    Args:
        spec: `masked-vgg16`, `baseline-vgg16`, their miniatures `mini-masked-vgg16` and `mini-baseline-vgg16`,
            `walled:NAME` (see `walled`), a folder that `save_pretrained` wrote, or `user/name[@revision]` on the
            Hugging Face Hub (see `find_pretrained`), or a `.safetensors` of this package.
        weights: for the VGG16s: an authors' checkpoint (`.pt`) or a `.safetensors` of this package.
        wall: the requested wall. A VGG16's follows from its layers, so another one is refused.
        dataset_wall: if `wall` is None, a walled backbone uses this one, widened to its stride of 32 pixels
            (`bottom:54` becomes `bottom:64`); the paper's by default.

    Raises:
        InputError: if the name is unknown, the weights are missing or do not fit, or the wall does not fit.
        RunError: if pretrained weights cannot be loaded.
    """
    if spec.startswith(WALLED_PREFIX):
        if weights is not None:
            raise InputError(f"{spec} uses the weights of torchvision or timm: leave out --weights.")
        # by default the smallest wall for a backbone of stride 32 that covers the dataset's
        return walled(spec.removeprefix(WALLED_PREFIX), wall or (dataset_wall or VGG16_WALL).widened(32))
    if spec in MINIATURES:
        return _miniature(spec, weights, wall)
    if spec not in MODELS:
        if Path(spec).is_file():
            return _file(spec, weights, wall)
        if not spec or not (Path(spec).is_dir() or is_hub_id(spec)):
            raise _unknown(spec)
        return _pretrained(spec, weights, wall)
    if weights is None:
        hint = f" For the network in the local folder {spec}, write ./{spec}." if Path(spec).is_dir() else ""
        raise InputError(
            f"{spec} needs its weights: --weights {MODELS[spec]} (the paper's), or a .safetensors file "
            f"of this package.{hint}"
        )
    model = _vgg16(Path(weights), masked=spec == "masked-vgg16")
    _check_asked(spec, model, wall)
    return model


def find_network(
    model: Network, weights: str | Path | None = None, wall: Wall | None = None, dataset_wall: Wall | None = None
) -> nn.Module:
    """The network that a user means.

    Args:
        model: a network; whatever `load_model` takes, which gets the other arguments; `package.module:name` of a
            network or of a function that makes one without arguments; or such a function.
        weights: see `load_model`.
        wall: see `load_model`.
        dataset_wall: see `load_model`.

    Raises:
        InputError: if it is none of these, or is given weights that it already includes.
        RunError: if pretrained weights cannot be loaded.
    """
    text = str(model) if isinstance(model, str | Path) else None
    if text is not None and (text.startswith(WALLED_PREFIX) or not is_import_spec(text)):
        return load_model(text, weights, wall, dataset_wall)
    if weights is not None:
        raise InputError(f"{text or type(model).__name__} already includes weights: leave out --weights.")
    if isinstance(model, nn.Module):
        return model
    if text is None and not callable(model):
        raise InputError(
            f"Expected `model` to be a torch.nn.Module, its name (such as {WALLED_PREFIX}resnet50), "
            f"package.module:name, or a function that returns one, but got {type(model).__name__}."
        )
    return model_from(text or model)  # type: ignore[arg-type]


def _pretrained(spec: str, weights: str | Path | None, wall: Wall | None, folder: Path | None = None) -> BlindModel:
    """The network in a folder or on the Hub."""
    if weights is not None:
        raise InputError(f"{spec} already includes weights: leave out --weights.")
    files = find_pretrained(folder or spec)
    config = files.config()
    model = ARCHITECTURES[config["architecture"]](config, files)
    _check_asked(spec, model, wall)
    model.origin = files.name
    return model


def _file(spec: str, weights: str | Path | None, wall: Wall | None) -> BlindModel:
    """The VGG16 in a weights file."""
    if weights is not None or Path(spec).suffix != ".safetensors":
        raise InputError(
            f"{spec} is a file of weights, which does not say what network it is: expected {' or '.join(MODELS)}, with "
            "the file as its weights (`weights=`, --weights)."
        )
    model = load_model_file(spec)
    _check_asked(spec, model, wall)
    return model


def _miniature(spec: str, weights: str | Path | None, wall: Wall | None) -> BlindModel:
    """A network of the package, under its command-line name."""
    folder = Path(str(resources.files("stackwalls.model.miniature").joinpath(MINIATURES[spec])))
    model = _pretrained(spec, weights, wall, folder)
    model.name, model.origin = spec, f"stackwalls.model.miniature, {MINIATURES[spec]}"
    return model


def _check_asked(spec: str, model: BlindModel, wall: Wall | None) -> None:
    if wall is not None and model.wall is not None and wall != model.wall:
        raise InputError(
            f"{spec} is blind behind {model.wall}, not {wall}: its wall follows from its layers. Leave out --wall, or "
            f"use {WALLED_PREFIX}NAME for a wall on another side."
        )
