"""VGG16 weights: safetensors with a JSON sidecar, and the authors' checkpoints. No pickle is ever executed."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from stackwalls.model.documents import COUNT, SHA256, TEXT, keys, read_json
from stackwalls.model.errors import InputError, RunError
from stackwalls.model.files import file_sha256, whole_path, write_whole
from stackwalls.model.networks.files.state_dicts import read_state_dict
from stackwalls.model.networks.files.weights import VGG16_SCHEMA, check_fits, read_safetensors, write_safetensors
from stackwalls.model.networks.masked_vgg import MAP_SIZE, VISIBLE_ROWS, MaskedVGG16

SIDECAR_FORMAT = 1
_SIDECAR = keys({"config": VGG16_SCHEMA, "weights_sha256": SHA256}, {"format": COUNT, "architecture": TEXT})
_ARCHITECTURE = "MaskedVGG16"
_DENSE_POSITION = 31
"""Index of the dense layers in the authors' `nn.Sequential`: 30 feature layers, a flatten, then these."""


def _our_key(key: str) -> str:
    """`28.weight` → `convolutions.28.weight`, `31.0.weight` → `classifier.0.weight`; torchvision's names too."""
    dense = re.fullmatch(rf"{_DENSE_POSITION}\.(\d+\.(?:weight|bias))", key)
    if dense:
        return f"classifier.{dense[1]}"
    if key.startswith(("classifier.", "convolutions.")):
        return key
    return f"convolutions.{key.removeprefix('features.')}"


def _spellings() -> list[str]:
    """Every name that a tensor of the network may have in a file: the authors', torchvision's and our own."""
    with torch.device("meta"):
        ours = MaskedVGG16().state_dict()
    bare = [key.removeprefix("convolutions.") for key in ours]
    authors = [key.replace("classifier.", f"{_DENSE_POSITION}.") for key in bare]
    torchvisions = [key if key.startswith("classifier.") else f"features.{key}" for key in bare]
    return [*ours, *authors, *torchvisions]


def _checked(path: str | Path) -> Path:
    path = Path(path)
    if not path.is_file():
        raise InputError(f"There is no weights file {path}: name an existing file.")
    return path


def _check_hidden_columns(path: Path, hidden: torch.Tensor) -> None:
    """The first dense layer's weights on the hidden rows `(out, C, 9, 14)` must all be zero."""
    largest_per_row = hidden.abs().amax(dim=(0, 1, 3))
    row = int(largest_per_row.argmax())
    if not bool((hidden == 0).all()):
        raise InputError(
            f"{path} is not a masked checkpoint: the first dense layer must be zero on map rows {VISIBLE_ROWS} to "
            f"{MAP_SIZE - 1}, but its largest weight there is {float(largest_per_row[row]):.3g}, on row "
            f"{VISIBLE_ROWS + row}. If this is the baseline, load it with masked=False (`--model baseline-vgg16`)."
        )


def load_authors_checkpoint(path: str | Path, masked: bool = True) -> MaskedVGG16:
    """Read the weights published by the paper's authors.

    The file is the state dict of an `nn.Sequential`: `0.weight` … `28.weight` for the convolutions, `31.0.weight`,
    `31.3.weight`, `31.6.weight` for the dense layers, and their biases. The masked network's first dense layer is
    full-size there, with zeros on the hidden rows; they are checked, then dropped. Keys of training scripts, wrappers
    and torchvision are understood too.

    Args:
        path: `params_vgg16_masked.pt` or `params_vgg16_baseline.pt`. Read with `weights_only=True`.
        masked: True for the masked network, False for the baseline.

    Raises:
        InputError: if the file is missing, does not hold one state dict, holds another network, or should be masked and
            has a nonzero weight on a hidden row (the message names the largest one and its row).
    """
    path = Path(path)
    state = {_our_key(key): tensor for key, tensor in read_state_dict(path, _spellings()).items()}
    classes = state["classifier.6.weight"].shape[0] if "classifier.6.weight" in state else 1000
    with torch.device("meta"):
        full = MaskedVGG16(visible_rows=MAP_SIZE, num_classes=classes)
        model = MaskedVGG16(visible_rows=VISIBLE_ROWS, num_classes=classes) if masked else full
    check_fits(path, state, full.state_dict(), _ARCHITECTURE)
    if masked:
        key = "classifier.0.weight"
        dense = state[key].view(len(state[key]), -1, MAP_SIZE, MAP_SIZE)
        _check_hidden_columns(path, dense[:, :, VISIBLE_ROWS:])
        state[key] = dense[:, :, :VISIBLE_ROWS].flatten(1).contiguous()
    model.load_state_dict(state, assign=True)
    return model.requires_grad_(True).eval()


def _sidecar(path: Path) -> Path:
    return path.with_suffix(".json")


def save_model(model: MaskedVGG16, path: str | Path, info: Mapping[str, Any] | None = None) -> Path:
    """Write `NAME.safetensors` and `NAME.json`: architecture, wall, the weights' SHA-256 and `info`.

    Both appear whole, the sidecar last.

    Args:
        model: the network.
        path: a file name that ends in `.safetensors`.
        info: further facts about the weights, such as data, recipe and accuracy (JSON values).

    Raises:
        InputError: if `path` does not end in `.safetensors`.
        RunError: if the file cannot be written (a full disk, say).
    """
    path = Path(path)
    if path.suffix != ".safetensors":
        raise InputError(f"Expected a file name that ends in .safetensors, but got {path.name!r}.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_path(path) as temporary:
            write_safetensors(model.state_dict(), temporary)
        sidecar = {
            "format": SIDECAR_FORMAT,
            "architecture": _ARCHITECTURE,
            "config": model.config,
            "wall": str(model.wall) if model.wall else None,
            "weights_sha256": file_sha256(path),
            "info": dict(info or {}),
        }
        write_whole(_sidecar(path), (json.dumps(sidecar, indent=2, sort_keys=True) + "\n").encode())
    except (OSError, SafetensorError) as error:
        raise RunError(f"Cannot write the weights {path}: {error}") from error
    return path


def load_model_file(path: str | Path) -> MaskedVGG16:
    """Read what `save_model` wrote.

    Raises:
        InputError: if the file or its sidecar is missing, damaged, or does not fit the other.
    """
    path = _checked(path)
    sidecar_path = _sidecar(path)
    if not sidecar_path.is_file():
        raise InputError(f"{path} has no sidecar {sidecar_path.name}, which says what network it is.")
    sidecar = read_json(sidecar_path, _SIDECAR)
    if sidecar.get("format") != SIDECAR_FORMAT or sidecar.get("architecture") != _ARCHITECTURE:
        raise InputError(f"{sidecar_path} describes {sidecar.get('architecture')!r}, expected {_ARCHITECTURE!r}.")
    state = read_safetensors(path)  # before it is hashed: a file of any size may be there
    if file_sha256(path) != sidecar["weights_sha256"]:
        raise InputError(f"{path} is not the file that {sidecar_path.name} describes: its SHA-256 differs.")
    with torch.device("meta"):
        model = MaskedVGG16(**sidecar["config"])
    check_fits(path, state, model.state_dict(), _ARCHITECTURE)
    model.load_state_dict(state, assign=True)
    return model.eval()
