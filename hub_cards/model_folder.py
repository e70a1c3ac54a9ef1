"""A network as a folder to publish: weights, configuration, certificate, training, results and card."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stackwalls.hub_cards.cards.assets import draw_wall
from stackwalls.hub_cards.cards.card_check import card_metadata, read_card
from stackwalls.hub_cards.cards.license import License
from stackwalls.hub_cards.cards.model_card import render_model_card
from stackwalls.hub_cards.layout import ASSET_NAMES, CARD_NAME, CERTIFICATE_NAME
from stackwalls.hub_cards.manifest import canonical_json, check_publishable
from stackwalls.model import (
    CONFIG_NAME,
    WEIGHTS_NAME,
    Certificate,
    InputError,
    MaskedVGG16,
    WalledNetwork,
    file_sha256,
    find_pretrained,
    load_model,
    require_certificate,
    shown_name,
)
from stackwalls.model.documents import NUMBER, OBJECT, TEXT, each, keys, read_json
from stackwalls.model.files import disk_errors, write_whole
from stackwalls.model.networks.files.weights import read_safetensors
from stackwalls.model.networks.proof.certificate import CERTIFICATE_SCHEMA

TRAINING_NAME, RESULTS_NAME = "training.json", "results.json"
_WALL_NAME = ASSET_NAMES[0]

_EVAL_RESULT = dict.fromkeys(("task_type", "dataset_type", "dataset_name", "metric_type"), TEXT)
_RESULT_ENTRY = keys(
    _EVAL_RESULT | {"metric_value": NUMBER},
    dict.fromkeys(("dataset_split", "dataset_revision", "metric_name"), TEXT) | {"metric_args": OBJECT},
    closed=True,
)
_RESULTS = keys({"results": each(_RESULT_ENTRY), "table": TEXT})
"""What `evaluate.model_index` gives."""

MODEL_FILES = (CONFIG_NAME, WEIGHTS_NAME, CERTIFICATE_NAME, TRAINING_NAME, RESULTS_NAME, CARD_NAME, _WALL_NAME)
"""All files of a model folder; nothing else in it is published."""


def save_model_folder(
    model: MaskedVGG16 | WalledNetwork,
    out: str | Path,
    certificate: Certificate | None = None,
    *,
    results: Mapping[str, Any] | None = None,
    training: Mapping[str, Any] | None = None,
    license: License | None = None,
) -> Path:
    """Write a network as a folder that `load_model` loads and `stackgen publish` publishes.

    Each file appears whole and replaces an earlier one; `config.json`, which identifies the folder, comes last.

    Args:
        model: with or without a wall.
        out: the folder.
        certificate: of its blindness; computed by default. A baseline has none.
        results: from `evaluate.model_index`, for the card.
        training: JSON values about its training.
        license: of the weights; without one the folder cannot be published.

    Raises:
        NotBlindError: if the network is not blind behind its wall.
        InputError: if the certificate belongs to another network, or a text must not be published.
        RunError: if the disk refuses.
    """
    folder = Path(out)
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / CONFIG_NAME).unlink(missing_ok=True)
        _write_metadata(folder, model, certificate, results, training, license)
        if model.own_weights() is None:
            (folder / WEIGHTS_NAME).unlink(missing_ok=True)
    model.save_pretrained(folder)  # leaves the card that is there
    return folder


def complete_model_folder(
    folder: str | Path, *, results: Mapping[str, Any] | None = None, license: License | None = None
) -> None:
    """Rewrite the certificate and the card of a folder from `save_pretrained` or `save_model_folder`.

    Weights, configuration and training stay; results (from `evaluate.model_index`) and the license of the weights stay
    unless given.

    Raises:
        NotBlindError: if the network is not blind behind its wall.
        InputError: if it is not a model folder, or a file in it cannot be read.
        RunError: if the disk refuses.
    """
    path = Path(folder)
    try:
        find_pretrained(path).config()
    except InputError as error:
        message = f"{path} is not a model folder of this package: write one with save_pretrained."
        raise InputError(message) from error
    model = load_model(str(path))
    if not isinstance(model, MaskedVGG16 | WalledNetwork):
        raise InputError(f"{path} holds a network that has no card.")
    results = results or _stored(path / RESULTS_NAME, _RESULTS)
    license = license or _stated(path / CARD_NAME)
    with disk_errors(path):
        _write_metadata(path, model, None, results, _stored(path / TRAINING_NAME, OBJECT), license)


def _write_metadata(
    folder: Path,
    model: MaskedVGG16 | WalledNetwork,
    certificate: Certificate | None,
    results: Mapping[str, Any] | None,
    training: Mapping[str, Any] | None,
    license: License | None,
) -> None:
    """All files but weights and configuration; files without content are removed."""
    check_publishable({"training": dict(training or {}), "results": dict(results or {})})
    if model.wall is not None:
        certificate = certificate or require_certificate(model)
    if certificate is not None:
        claimed, own = f"{certificate.model} behind {certificate.wall}", f"{shown_name(model)} behind {model.wall}"
        if claimed != own or not certificate.passed:
            what = "is not passed" if claimed == own else f"is for {claimed}, not for {own}"
            raise InputError(f"The certificate {what}: leave it out to compute it.")
    files = {
        CERTIFICATE_NAME: certificate.to_json().encode() if certificate else b"",
        TRAINING_NAME: canonical_json(dict(training)).encode() if training else b"",
        RESULTS_NAME: canonical_json(dict(results)).encode() if results else b"",
        CARD_NAME: render_model_card(model, certificate, results, training, license).encode(),
        _WALL_NAME: draw_wall(model.wall) if model.wall else b"",
    }
    for name, content in files.items():
        if content:
            (folder / name).parent.mkdir(exist_ok=True)
            write_whole(folder / name, content)
        else:
            (folder / name).unlink(missing_ok=True)


def _stored(path: Path, schema: Mapping[str, Any]) -> dict[str, Any] | None:
    """The content of a JSON file; None if there is no such file."""
    return dict(read_json(path, schema)) if os.path.lexists(path) else None


def _stated(card: Path) -> License | None:
    """The license that a card states; None if there is none."""
    if not os.path.lexists(card):
        return None
    data = card_metadata(read_card(card), "model", str(card))
    keys = ("license", "license_name", "license_link")
    return License(*(str(data.get(key) or "") for key in keys)) if data.get("license") else None


def check_model_folder(path: str | Path) -> None:
    """Reject a model folder that is incomplete, or whose network is not certified blind.

    Raises:
        InputError: stating what is wrong: the configuration, the SHA-256 of the weights, or the certificate.
    """
    folder = Path(path)
    config = find_pretrained(folder).config()
    weights = folder / WEIGHTS_NAME
    if config.get("weights") is None:
        read_safetensors(weights)  # before it is hashed: a file of any size may be there
        if file_sha256(weights) != config["weights_sha256"]:
            raise InputError(f"{weights} is not the file that {CONFIG_NAME} describes: save the model again.")
    if config["wall"] is None:
        return
    try:
        certificate = read_json(folder / CERTIFICATE_NAME, CERTIFICATE_SCHEMA)
    except InputError as error:
        raise InputError(
            f"{folder} has no readable {CERTIFICATE_NAME}, and a network without a certificate is not published: write "
            f"the folder with hub_cards.save_model_folder. {error}"
        ) from error
    same_kind = certificate.get("wall_kind") in (None, config.get("kind", certificate.get("wall_kind")))
    if not certificate["passed"] or certificate["wall"] != config["wall"] or not same_kind:
        wrong = f"does not certify this network behind {config['wall']}"
        raise InputError(f"{folder / CERTIFICATE_NAME} {wrong}: write it again with hub_cards.save_model_folder.")
