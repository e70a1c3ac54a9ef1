"""A network as a folder that can be published: weights, configuration, certificate, training and card."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from huggingface_hub import ModelCard

from stackwalls.hub_cards.cards.assets import draw_wall
from stackwalls.hub_cards.cards.license import License
from stackwalls.hub_cards.cards.model_card import render_model_card
from stackwalls.hub_cards.layout import ASSET_NAMES, CARD_NAME
from stackwalls.hub_cards.manifest import canonical_json, check_publishable
from stackwalls.model import (
    CONFIG_NAME,
    WEIGHTS_NAME,
    Certificate,
    InputError,
    MaskedVGG16,
    Walled,
    file_sha256,
    find_pretrained,
    load_model,
    require_certificate,
)
from stackwalls.model.files import disk_errors, write_whole

CERTIFICATE_NAME, TRAINING_NAME, RESULTS_NAME = "certificate.json", "training.json", "results.json"
_WALL_PICTURE = ASSET_NAMES[0]

MODEL_FILES = (CONFIG_NAME, WEIGHTS_NAME, CERTIFICATE_NAME, TRAINING_NAME, RESULTS_NAME, CARD_NAME, _WALL_PICTURE)
"""Every file that belongs in a model folder; nothing else of it is published."""


def save_model_folder(
    model: MaskedVGG16 | Walled,
    out: str | Path,
    certificate: Certificate | None = None,
    *,
    results: Mapping[str, Any] | None = None,
    training: Mapping[str, Any] | None = None,
    license: License | None = None,
) -> Path:
    """Write a network as a folder that loads again by `load_model` and can be published.

    Each file appears whole; `config.json`, by which the folder is known, is written last.

    Args:
        model: the network.
        out: the folder; what an earlier call wrote there is replaced.
        certificate: of its blindness; made anew by default. A baseline has none.
        results: what `evaluate.model_index` gives, for the card.
        training: what is known of its training, as JSON values.
        license: of the weights; without one the card states none, and is not published.

    Raises:
        NotBlindError: if the network is not blind behind its wall.
        InputError: if the certificate is another network's, or a text is not fit to be published.
        RunError: if the disk refuses.
    """
    folder = Path(out)
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / CONFIG_NAME).unlink(missing_ok=True)
        _write_papers(folder, model, certificate, results, training, license)
        if model.own_weights() is None:
            (folder / WEIGHTS_NAME).unlink(missing_ok=True)
    model.save_pretrained(folder)  # leaves the card that is there
    return folder


def complete_model_folder(
    folder: str | Path, *, results: Mapping[str, Any] | None = None, license: License | None = None
) -> None:
    """Give a folder that `save_pretrained` or `save_model_folder` wrote its certificate and its card anew.

    Weights and configuration stay untouched. What is known of the training stays, and so do results and license where
    no others are given.

    Args:
        folder: the model folder.
        results: what `evaluate.model_index` gives.
        license: of the weights.

    Raises:
        NotBlindError: if the network is not blind behind its wall.
        InputError: if it is no model folder, or a file in it cannot be read.
        RunError: if the disk refuses.
    """
    path = Path(folder)
    if not is_model_folder(path):
        raise InputError(f"{path} is no model folder of this package: write one by save_pretrained.")
    model = load_model(str(path))
    if not isinstance(model, MaskedVGG16 | Walled):
        raise InputError(f"{path} holds a network that has no card.")
    training = _stored(path / TRAINING_NAME)
    with disk_errors(path):
        _write_papers(
            path, model, None, results or _stored(path / RESULTS_NAME), training, license or _stated(path / CARD_NAME)
        )


def _write_papers(
    folder: Path,
    model: MaskedVGG16 | Walled,
    certificate: Certificate | None,
    results: Mapping[str, Any] | None,
    training: Mapping[str, Any] | None,
    license: License | None,
) -> None:
    """All but the weights and the configuration; what there is nothing to say of is removed."""
    check_publishable({"training": dict(training or {}), "results": dict(results or {})})
    if model.wall is not None:
        certificate = certificate or require_certificate(model)
    _check_certificate(certificate, model)
    texts: dict[str, str | None] = {
        CERTIFICATE_NAME: certificate.to_json() if certificate else None,
        TRAINING_NAME: canonical_json(dict(training)) if training else None,
        RESULTS_NAME: canonical_json(dict(results)) if results else None,
        CARD_NAME: render_model_card(model, certificate, results, training, license),
    }
    files = {name: None if text is None else text.encode() for name, text in texts.items()}
    files[_WALL_PICTURE] = draw_wall(model.wall) if model.wall else None
    for name, content in files.items():
        if content is None:
            (folder / name).unlink(missing_ok=True)
        else:
            (folder / name).parent.mkdir(exist_ok=True)
            write_whole(folder / name, content)


def _stored(path: Path) -> dict[str, Any] | None:
    """What a JSON file of the folder says; None where there is none."""
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        raise InputError(f"Cannot read {path}: {error}.") from error


def _stated(card: Path) -> License | None:
    """The license that a card states."""
    if not card.is_file():
        return None
    data = ModelCard(card.read_text(encoding="utf-8")).data.to_dict()  # type: ignore[no-untyped-call]
    keys = ("license", "license_name", "license_link")
    return License(*(str(data.get(key) or "") for key in keys)) if data.get("license") else None


def is_model_folder(path: str | Path) -> bool:
    """Whether a folder says that it holds a network of this package."""
    try:
        find_pretrained(Path(path)).config()
    except InputError:
        return False
    return True


def check_model_folder(path: str | Path) -> None:
    """Refuse a model folder that is not whole, or whose network is not certified blind.

    Raises:
        InputError: saying what is wrong: the configuration, the weights' SHA-256, the certificate.
    """
    folder = Path(path)
    config = find_pretrained(folder).config()
    weights = folder / WEIGHTS_NAME
    if config["architecture"] == MaskedVGG16.__name__ and (
        not weights.is_file() or file_sha256(weights) != config["weights_sha256"]
    ):
        raise InputError(f"{weights} is missing or is not the file that {CONFIG_NAME} describes: save the model again.")
    if config["wall"] is None:
        return
    try:
        content = json.loads((folder / CERTIFICATE_NAME).read_text(encoding="utf-8"))
        passed, wall = content["passed"], content["wall"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{folder} has no {CERTIFICATE_NAME} that can be read ({error!r}), and a network without proof is not "
            "published: write the folder by hub_cards.save_model_folder."
        ) from error
    if passed is not True or wall != config["wall"]:
        raise InputError(
            f"{folder / CERTIFICATE_NAME} does not certify this network behind {config['wall']}: make it again with "
            "hub_cards.save_model_folder."
        )


def _check_certificate(certificate: Certificate | None, model: MaskedVGG16 | Walled) -> None:
    if certificate is None:
        return
    claimed, own = (certificate.model, certificate.wall), (model.name, str(model.wall))
    if claimed != own or not certificate.passed:
        what = "is not passed" if claimed == own else f"is for {claimed[0]} behind {claimed[1]}"
        raise InputError(f"The certificate {what}, not for {own[0]} behind {own[1]}: leave it out to make it anew.")
