"""A model folder on the Hub: its own files and no others, and the network that others load from there."""

from pathlib import Path

import pytest
import torch
from loopback_hub import LoopbackHub
from publications import put

from stackwalls.hub_cards import MODEL_FILES, parse_licence, save_model_folder
from stackwalls.model import InputError, MaskedVGG16, load_model


def test_a_model_is_published_and_loaded_by_its_id(hub: LoopbackHub, narrow_vgg: MaskedVGG16, tmp_path: Path) -> None:
    folder = tmp_path / "masked"
    save_model_folder(narrow_vgg, folder)
    with pytest.raises(InputError, match="--licence"):
        put(folder, "user/masked")
    assert hub.state.repositories == {}
    save_model_folder(narrow_vgg, folder, licence=parse_licence("apache-2.0"))
    (folder / "optimizer.pt").write_bytes(b"not ours to give")
    done = put(folder, "user/masked", tag="v1.0")
    assert done.plan.folder.left_out == ("optimizer.pt",)
    there = hub.files("user/masked", kind="model")
    assert there == {name: (folder / name).read_bytes() for name in MODEL_FILES if (folder / name).is_file()}
    assert not put(folder, "user/masked", tag="v1.0").changes
    loaded = load_model("user/masked@v1.0").state_dict()
    assert loaded.keys() == narrow_vgg.state_dict().keys()
    assert all(torch.equal(loaded[name], value) for name, value in narrow_vgg.state_dict().items())
