"""Networks and recipes on the loopback Hub: pushed by the mixin or published, and read again by name and revision."""

from pathlib import Path

import pytest
import torch
from dataset_maker import contents
from huggingface_hub import ModelCard
from loopback_hub import OTHER_TOKEN, READ_TOKEN, LoopbackHub
from publications import put
from transformers import BitImageProcessor, ResNetConfig, ResNetForImageClassification

from stackwalls.hub_cards import open_dataset, open_recipe, parse_license, recipe_folder, save_model_folder
from stackwalls.model import InputError, MaskedVGG16, RunError, Transform, Walled, load_model
from stackwalls.stackmix import MixSpec, mix, rebuild


@pytest.fixture
def tiny() -> MaskedVGG16:
    torch.manual_seed(0)
    return MaskedVGG16(num_classes=3, width=1 / 64, classes=[5, 1, 2]).eval()


def same(left: torch.nn.Module, right: torch.nn.Module) -> bool:
    pairs = zip(left.state_dict().values(), right.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def test_the_mixin_pushes_and_pulls(hub: LoopbackHub, tiny: MaskedVGG16) -> None:
    tiny.push_to_hub("user/masked-vgg16")
    files = hub.files("user/masked-vgg16", kind="model")
    assert {"README.md", "config.json", "model.safetensors"} <= files.keys()
    assert b"More Information Needed" not in files["README.md"]
    for model in (MaskedVGG16.from_pretrained("user/masked-vgg16"), load_model("user/masked-vgg16")):
        assert isinstance(model, MaskedVGG16)
        assert same(model, tiny)
        assert model.class_indices == (5, 1, 2)
    commit = hub.api().model_info("user/masked-vgg16").sha
    assert load_model("hf://user/masked-vgg16").origin == f"user/masked-vgg16@{commit}"


def test_a_revision_is_the_network_of_that_revision(hub: LoopbackHub, tiny: MaskedVGG16) -> None:
    tiny.push_to_hub("user/masked-vgg16")
    hub.api().create_tag("user/masked-vgg16", tag="v1.0")
    torch.manual_seed(1)
    other = MaskedVGG16(num_classes=3, width=1 / 64).eval()
    other.push_to_hub("user/masked-vgg16")
    assert same(load_model("user/masked-vgg16@v1.0"), tiny)
    assert same(load_model("user/masked-vgg16"), other)
    with pytest.raises(InputError, match="the model has no such revision"):
        load_model("user/masked-vgg16@v2")


def test_a_published_folder_is_the_folder(hub: LoopbackHub, tiny: MaskedVGG16, tmp_path: Path) -> None:
    folder = save_model_folder(tiny, tmp_path / "m", license=parse_license("mit"))
    put(folder, "user/published")
    files = hub.files("user/published", kind="model")
    files.pop(".gitattributes", None)
    assert files == contents(folder)
    assert same(load_model("user/published"), tiny)
    assert ModelCard.load("user/published").data.to_dict()["license"] == "mit"


def test_what_is_not_there_or_no_network_of_ours(hub: LoopbackHub, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the Hub shows no such model"):
        load_model("user/none")
    api = hub.api()
    api.create_repo("user/pickles")
    api.upload_file(path_or_fileobj=b"\x80\x04.", path_in_repo="pytorch_model.bin", repo_id="user/pickles")
    with pytest.raises(InputError, match="pickled weights are never read"):
        load_model("user/pickles")
    api.upload_file(path_or_fileobj=b'{"model_type": "vgg"}', path_in_repo="config.json", repo_id="user/pickles")
    with pytest.raises(InputError, match="does not describe a network of this package"):
        load_model("user/pickles")


def test_a_private_network_of_somebody_else(
    hub: LoopbackHub, tiny: MaskedVGG16, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny.push_to_hub("user/private", private=True)
    monkeypatch.setenv("HF_TOKEN", OTHER_TOKEN)
    with pytest.raises((InputError, RunError)) as error:
        load_model("user/private")
    assert OTHER_TOKEN not in str(error.value)
    monkeypatch.setenv("HF_TOKEN", READ_TOKEN)
    assert same(load_model("user/private"), tiny)


def test_a_hub_that_is_away(hub: LoopbackHub) -> None:
    hub.fault(status=500, times=100)
    with pytest.raises(RunError, match="the Hub answered 500"):
        load_model("user/any")


def test_a_recipe_goes_up_and_the_set_comes_out(hub: LoopbackHub, tmp_path: Path) -> None:
    mix(MixSpec("drawn", classes=2), tmp_path / "set")
    put(recipe_folder(tmp_path / "set", tmp_path / "recipe"), "user/stack-mix")
    assert not any(name.endswith("examples.png") for name in hub.files("user/stack-mix"))
    assert rebuild(open_recipe("user/stack-mix"), "drawn", tmp_path / "again").same_bytes
    assert contents(tmp_path / "again") == contents(tmp_path / "set")
    with pytest.raises(InputError, match="a recipe of STACK-MIX without pixels"):
        open_dataset("user/stack-mix")
    with pytest.raises(InputError, match="the Hub shows no such dataset"):
        open_recipe("user/none")
    with pytest.raises(InputError, match="the dataset has no such revision"):
        open_recipe("user/stack-mix@v9")


def test_what_is_no_recipe_is_refused_before_its_pictures_travel(hub: LoopbackHub, tmp_path: Path) -> None:
    mix(MixSpec("drawn", classes=1), tmp_path / "set")
    put(tmp_path / "set", "user/pixels")
    hub.state.requests.clear()
    with pytest.raises(InputError, match="user/pixels is not a recipe but a finished stack-mix set"):
        open_recipe("user/pixels")
    assert not [path for _, path in hub.state.requests if path.endswith(".parquet")]
    hub.api().create_repo("user/theirs", repo_type="dataset")
    with pytest.raises(InputError, match=r"user/theirs: it is not a recipe \(it has no manifest\.json\)"):
        open_recipe("user/theirs")


def test_a_classifier_of_transformers_by_its_id(hub: LoopbackHub, tmp_path: Path) -> None:
    names = {0: "ant", 1: "bee"}
    config = ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], id2label=names)
    ResNetForImageClassification(config).save_pretrained(tmp_path / "net")
    BitImageProcessor(size={"shortest_edge": 112}, crop_size=96).save_pretrained(tmp_path / "net")
    api = hub.api()
    api.create_repo("user/cnn")
    commit = api.upload_folder(folder_path=tmp_path / "net", repo_id="user/cnn").oid
    api.create_tag("user/cnn", tag="v1")
    model = load_model("walled:hf/user/cnn@v1")
    assert (model.name, model.class_names) == ("walled:hf/user/cnn", ("ant", "bee"))
    assert (str(model.wall), model.transform) == ("bottom:32@96", Transform(96, 112, "bicubic"))
    assert isinstance(model, Walled)
    model.save_pretrained(tmp_path / "saved")  # names the weights; they stay where they are
    assert model.pretrained_config()["weights"] == f"hf/user/cnn@{commit}"
    assert sorted(path.name for path in (tmp_path / "saved").iterdir()) == ["README.md", "config.json"]
    assert same(load_model(str(tmp_path / "saved")), model)
    with pytest.raises(InputError, match="has no such revision"):
        load_model("walled:hf/user/cnn@v2")
    api.delete_file("model.safetensors", repo_id="user/cnn")
    api.upload_file(path_or_fileobj=b"\x80\x04.", path_in_repo="pytorch_model.bin", repo_id="user/cnn")
    with pytest.raises(InputError, match="pickled weights are never read"):
        load_model("walled:hf/user/cnn")
    with pytest.raises(InputError, match="the Hub shows no such model"):
        load_model("walled:hf/user/none")
