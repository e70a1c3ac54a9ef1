"""From a name on the command line to a network."""

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch import nn

from stackwalls.model.errors import InputError
from stackwalls.model.images.label_space import read_label_space
from stackwalls.model.imports import is_import_spec, model_from
from stackwalls.model.networks.attention.walled_transformer import WalledTransformer
from stackwalls.model.networks.backbones.backbone import HUB_PREFIX, Backbone, split_classifier
from stackwalls.model.networks.backbones.names import load_backbone
from stackwalls.model.networks.backbones.own_networks import load_checkpoint
from stackwalls.model.networks.backbones.splitting import logits_of
from stackwalls.model.networks.backbones.zero_shot import ClassTexts, class_texts
from stackwalls.model.networks.behind_a_wall import wall_near, walled
from stackwalls.model.networks.blind_model import WALL_KINDS, BlindModel, WallKind
from stackwalls.model.networks.curtain import Curtain
from stackwalls.model.networks.files.checkpoints import load_authors_checkpoint, load_model_file
from stackwalls.model.networks.files.pretrained import PretrainedFiles, find_pretrained, is_hub_id
from stackwalls.model.networks.layered_model import Layer, LayeredModel
from stackwalls.model.networks.masked_vgg import MaskedVGG16
from stackwalls.model.networks.walled_model import Walled
from stackwalls.model.state import preserved
from stackwalls.model.wall import IMAGE_SIZE, Wall

WALLED_PREFIX = WALL_KINDS["cut"]
"""What the names of networks behind a cut start with."""

Network: TypeAlias = nn.Module | str | Path | Callable[[], nn.Module]
"""Whatever `find_network` takes."""


def is_walled(spec: str) -> bool:
    """Whether a name is `walled:NAME`, `sink:NAME` or `curtain:NAME` (see `WALL_KINDS`)."""
    return spec.startswith(tuple(WALL_KINDS.values()))


def _vgg16(path: Path, masked: bool) -> MaskedVGG16:
    if path.suffix != ".safetensors":
        return load_authors_checkpoint(path, masked=masked)
    model = load_model_file(path)
    if (model.wall is not None) != masked:
        asked, found = ("masked", "baseline") if masked else ("baseline", "masked")
        raise InputError(f"{path} holds the {found} VGG16, not the {asked} one: use `--model {found}-vgg16`.")
    return model


MODELS = {"masked-vgg16": "params_vgg16_masked.pt", "baseline-vgg16": "params_vgg16_baseline.pt"}
"""Networks that are loaded from a weights file → the file that the authors published."""

MINIATURES = {"mini-masked-vgg16": "masked-vgg16", "mini-baseline-vgg16": "baseline-vgg16", "mini-vit": "vit-mini"}
"""Networks whose weights are in the package → folder in `miniature/`: small, trained on drawn animals."""

ARCHITECTURES: dict[str, Callable[[Mapping[str, Any], PretrainedFiles], LayeredModel]] = {
    "MaskedVGG16": MaskedVGG16.restored,
    "Walled": Walled.restored,
    "WalledTransformer": WalledTransformer.restored,
    "Curtain": Curtain.restored,
}
"""Architecture named by a config.json → function that restores it."""


def _unknown(spec: str) -> InputError:
    near = difflib.get_close_matches(spec, [*MODELS, *MINIATURES], n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    known = ", ".join([*MODELS, *MINIATURES])
    return InputError(
        f"Unknown model {spec!r}: expected one of {known}, {WALLED_PREFIX}NAME with a backbone of torchvision, timm or "
        f"transformers, such as {WALLED_PREFIX}resnet50, a folder that save_pretrained wrote, or user/name[@revision] "
        f"on the Hub.{hint}"
    )


def load_model(
    spec: str,
    weights: str | Path | None = None,
    wall: Wall | str | None = None,
    dataset_wall: Wall | None = None,
    class_names: Sequence[str] | str | Path | None = None,
    layer: Layer | None = None,
    *,
    classes_as: str | None = None,
    pretrained: bool = True,
) -> LayeredModel:
    """Load the network that a name stands for.

    Args:
        spec: `masked-vgg16`, `baseline-vgg16`, the miniatures `mini-masked-vgg16`, `mini-baseline-vgg16` and
            `mini-vit`, `walled:NAME`, of a vision transformer `sink:NAME`, of any network `curtain:NAME` (see `walled`
            and `load_backbone`; NAME may be `mini-vit`, a folder of this package or of transformers, or
            `package.module:factory`, too), a folder that `save_pretrained` wrote, `user/name[@revision]` on the Hugging
            Face Hub (see `find_pretrained`), or a `.safetensors` of this package.
        weights: for the VGG16s: an authors' checkpoint (`.pt`) or a `.safetensors` of this package; for `walled:NAME`:
            a checkpoint of one's own (see `load_checkpoint`).
        wall: the requested wall, as text of an image of `dataset_wall`'s size, or of the network's. A VGG16's follows
            from its layers, so another one is refused.
        dataset_wall: if `wall` is None, a walled backbone uses this one, widened to what it can have (`bottom:54`
            becomes `bottom:64`); by default the paper's share at the bottom, in the network's own size.
        class_names: the name of each logit of a walled network, or the file that has them (see `read_label_space`).
        classes_as: of a CLIP or SigLIP of transformers: the text of a class, with `{}` in the place of its name.
        layer: the map that is explained (see `LayeredModel.explain_at`); the network's own by default.
        pretrained: whether a walled network has its library's weights; random ones otherwise.

    Raises:
        InputError: if the name is unknown, the weights are missing or do not fit, the wall does not fit, there is not a
            name for each class, or there is no such layer.
        RunError: if pretrained weights cannot be loaded.
    """
    model = _loaded(spec, weights, wall, dataset_wall, class_texts(class_names, classes_as), pretrained)
    if layer is not None:
        model.explain_at(layer)
    return model


def _loaded(
    spec: str,
    weights: str | Path | None,
    wall: Wall | str | None,
    dataset_wall: Wall | None,
    texts: ClassTexts | Sequence[str] | str | Path | None,
    pretrained: bool,
) -> LayeredModel:
    """`load_model`, at the network's own layer."""
    names = read_label_space(texts).names if isinstance(texts, str | Path) else texts
    if is_walled(spec):
        kind = next(kind for kind, prefix in WALL_KINDS.items() if spec.startswith(prefix))
        backbone = _backbone(spec.removeprefix(WALL_KINDS[kind]), kind, weights, names, pretrained)
        if dataset_wall and not isinstance(wall, Wall):
            size = dataset_wall.image_size
            wall = Wall.parse(wall, None if "@" in wall else size) if wall else wall_near(backbone, dataset_wall, kind)
        network = walled(backbone, wall, kind=kind)
        network.origin = str(weights) if weights is not None else None
        return network
    if not pretrained:
        raise InputError(f"{spec} has its own weights: random ones are for {WALLED_PREFIX}NAME.")
    if names is not None:
        raise InputError(f"{spec} has its own classes: give class names with {WALLED_PREFIX}NAME only.")
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


def _backbone(
    name: str, kind: WallKind, weights: str | Path | None, names: Sequence[str] | None, pretrained: bool
) -> Backbone:
    """The backbone behind `walled:` or another kind of wall, with the class names that were given."""
    texts = names if isinstance(names, ClassTexts) else None
    found: nn.Module | None = model_from(name) if is_import_spec(name) else None
    if texts is not None and (found is not None or weights is not None or name in MINIATURES):
        raise InputError(f"{name} is a classifier already: --classes-as is for CLIP and SigLIP of transformers (hf/…).")
    if not pretrained and (weights is not None or found is not None or name in MINIATURES):
        raise InputError(f"{WALLED_PREFIX}{name} has weights already: expected either those or random ones.")
    if weights is not None:
        if found is not None or name.startswith(HUB_PREFIX) or Path(name).is_dir() or name in MINIATURES:
            raise InputError(f"{WALLED_PREFIX}{name} already includes weights: leave out --weights.")
        return load_checkpoint(name, weights, names)
    if name in MINIATURES:
        backbone = replace(load_backbone(f"{HUB_PREFIX}{_miniature_folder(name)}"), name=name)
    elif found is not None:
        backbone = split_classifier(found)
    else:
        name = f"{HUB_PREFIX}{name}" if name.startswith((".", "/")) else name
        backbone = load_backbone(name, pretrained, split=kind != "curtain", texts=texts)
    if names is None or texts is not None:
        return backbone
    size = backbone.transform.size if backbone.transform else IMAGE_SIZE
    with preserved(backbone.features), torch.no_grad():
        classes = logits_of(backbone.head(backbone.features(torch.zeros(1, 3, size, size)))).shape[1]
    if len(names) != classes:
        raise InputError(
            f"{WALLED_PREFIX}{name} has {classes} logits, but {len(names)} class names are given: expected a name for "
            "each."
        )
    return replace(backbone, class_names=tuple(names))


def find_network(
    model: Network,
    weights: str | Path | None = None,
    wall: Wall | str | None = None,
    dataset_wall: Wall | None = None,
    class_names: Sequence[str] | str | Path | None = None,
) -> nn.Module:
    """The network that a user means.

    Args:
        model: a network; whatever `load_model` takes, which gets the other arguments; `package.module:name` of a
            network or of a function that makes one without arguments; or such a function.
        weights: see `load_model`.
        wall: see `load_model`.
        dataset_wall: see `load_model`.
        class_names: see `load_model`.

    Raises:
        InputError: if it is none of these, or is given weights that it already includes.
        RunError: if pretrained weights cannot be loaded.
    """
    text = str(model) if isinstance(model, str | Path) else None
    if text is not None and (is_walled(text) or not is_import_spec(text)):
        return load_model(text, weights, wall, dataset_wall, class_names)
    for given, option in ((weights, "weights"), (class_names, "class-names")):
        if given is not None:
            raise InputError(f"{text or type(model).__name__} already includes {option}: leave out --{option}.")
    if isinstance(model, nn.Module):
        return model
    if text is None and not callable(model):
        raise InputError(
            f"Expected `model` to be a torch.nn.Module, its name (such as {WALLED_PREFIX}resnet50), "
            f"package.module:name, or a function that returns one, but got {type(model).__name__}."
        )
    return model_from(text or model)  # type: ignore[arg-type]


def asked_wall(text: str, network: nn.Module, dataset_wall: Wall | None = None) -> Wall:
    """The wall that a text without a size means: of the dataset's images, else of the network's.

    Raises:
        InputError: if it cannot be read, or does not fit them.
    """
    if "@" in text:
        return Wall.parse(text)
    wall, transform = dataset_wall or getattr(network, "wall", None), getattr(network, "transform", None)
    return Wall.parse(text, wall.image_size if wall else transform.size if transform else None)


def _pretrained(
    spec: str, weights: str | Path | None, wall: Wall | str | None, folder: Path | None = None
) -> LayeredModel:
    """The network in a folder or on the Hub."""
    if weights is not None:
        raise InputError(f"{spec} already includes weights: leave out --weights.")
    files = find_pretrained(folder or spec)
    config = files.config()
    model = ARCHITECTURES[config["architecture"]](config, files)
    _check_asked(spec, model, wall)
    model.origin = files.name
    return model


def _file(spec: str, weights: str | Path | None, wall: Wall | str | None) -> MaskedVGG16:
    """The VGG16 in a weights file."""
    if weights is not None or Path(spec).suffix != ".safetensors":
        raise InputError(
            f"{spec} is a file of weights, which does not say what network it is: expected {' or '.join(MODELS)}, with "
            "the file as its weights (`weights=`, --weights)."
        )
    model = load_model_file(spec)
    _check_asked(spec, model, wall)
    return model


def _miniature(spec: str, weights: str | Path | None, wall: Wall | str | None) -> LayeredModel:
    """A network of the package, under its command-line name."""
    model = _pretrained(spec, weights, wall, _miniature_folder(spec))
    model.name, model.origin = spec, f"stackwalls.model.miniature, {MINIATURES[spec]}"
    return model


def _miniature_folder(name: str) -> Path:
    return Path(str(resources.files("stackwalls.model.miniature").joinpath(MINIATURES[name])))


def _check_asked(spec: str, model: BlindModel, wall: Wall | str | None) -> None:
    if isinstance(wall, str):
        wall = asked_wall(wall, model)
    if wall is not None and model.wall is not None and wall != model.wall:
        raise InputError(
            f"{spec} is blind behind {model.wall}, not {wall}: its wall follows from its layers. Leave out --wall, or "
            f"use {WALLED_PREFIX}NAME for a wall on another side."
        )
