import json
import pickle
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torchvision.models import vgg16

from stackwalls.model import (
    InputError,
    MaskedVGG16,
    RunError,
    load_authors_checkpoint,
    load_model,
    load_model_file,
    save_model,
)


def authors_network(classes: int) -> nn.Sequential:
    """The authors' layout: VGG16's 30 feature layers, a flatten, the dense layers, as one `nn.Sequential`."""
    features = list(vgg16(weights=None).features[:-1])
    features[28] = nn.Conv2d(512, 256, 3, padding=1)
    dense = nn.Sequential(
        nn.Linear(256 * 14 * 14, 4096),
        nn.ReLU(),
        nn.Dropout(),
        nn.Linear(4096, 4096),
        nn.ReLU(),
        nn.Dropout(),
        nn.Linear(4096, classes),
    )
    network = nn.Sequential(*features, nn.Flatten(), dense)
    for layer in network.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d):
            # He's scale, so that the logits do not vanish and a tolerance on them means something
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    return network.eval()


@pytest.fixture(scope="module")
def authors(tmp_path_factory: pytest.TempPathFactory) -> tuple[nn.Sequential, Path, Path]:
    torch.manual_seed(0)
    network = authors_network(classes=20)
    folder = tmp_path_factory.mktemp("authors")
    baseline, masked = folder / "params_vgg16_baseline.pt", folder / "params_vgg16_masked.pt"
    torch.save(network.state_dict(), baseline)
    network[31][0].weight.data.view(4096, 256, 14, 14)[:, :, 5:] = 0
    torch.save(network.state_dict(), masked)
    return network, masked, baseline


@pytest.mark.slow
def test_authors_layout_gives_the_same_logits(authors: tuple[nn.Sequential, Path, Path]) -> None:
    network, masked, baseline = authors
    images = torch.randn(2, 3, 224, 224)
    with torch.no_grad():
        expected = network(images)
        assert expected.std() > 0.1
        model = load_authors_checkpoint(masked)
        torch.testing.assert_close(model(images), expected, rtol=0, atol=1e-5)
        assert str(model.wall) == "bottom:54"
        network.load_state_dict(torch.load(baseline, weights_only=True))
        torch.testing.assert_close(load_model("baseline-vgg16", baseline)(images), network(images), rtol=0, atol=1e-5)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    torch.save({"fc.weight": torch.zeros(2, 2)}, tmp_path / "other.pt")
    with pytest.raises(InputError, match=r"another network.*missing.*unknown"):
        load_authors_checkpoint(tmp_path / "other.pt")
    torch.save([1, 2], tmp_path / "list.pt")
    with pytest.raises(InputError, match="list"):
        load_authors_checkpoint(tmp_path / "list.pt")


@pytest.fixture(scope="module")
def plain() -> dict[str, torch.Tensor]:
    """The authors' names; one stored number a tensor, so that the files stay small."""
    with torch.device("meta"):
        full = MaskedVGG16(visible_rows=14)
    names = {key: key.removeprefix("convolutions.").replace("classifier.", "31.") for key in full.state_dict()}
    return {names[key]: torch.zeros(1).expand(tensor.shape) for key, tensor in full.state_dict().items()}


def test_a_masked_checkpoint_with_a_hidden_weight_is_refused(plain: dict[str, torch.Tensor], tmp_path: Path) -> None:
    leaky = torch.zeros(plain["31.0.weight"].shape)
    leaky.view(4096, 256, 14, 14)[7, 3, 11, 2] = -0.25
    torch.save(plain | {"31.0.weight": leaky}, tmp_path / "leaky.pt")
    with pytest.raises(InputError, match=r"0\.25, on row 11"):
        load_authors_checkpoint(tmp_path / "leaky.pt")
    torch.save(plain | {"31.0.weight": torch.ones(1).expand(leaky.shape)}, tmp_path / "baseline.pt")
    with pytest.raises(InputError, match="baseline"):
        load_model("masked-vgg16", tmp_path / "baseline.pt")


def torchvisions(key: str) -> str:
    return key.replace("31.", "classifier.", 1) if key.startswith("31.") else f"features.{key}"


WRAPPED: dict[str, Callable[[dict[str, torch.Tensor]], object]] = {
    "state_dict": lambda state: {"state_dict": state, "epoch": 3},
    "the authors' training script": lambda state: {"model_state_dict": state},
    "model and optimizer": lambda state: {"model": state, "optimizer": {}, "epoch": 3},
    "timm's options": lambda state: {"state_dict": state, "args": Namespace(lr=0.1)},
    "DistributedDataParallel": lambda state: {f"module.{key}": tensor for key, tensor in state.items()},
    "torch.compile": lambda state: {f"_orig_mod.{key}": tensor for key, tensor in state.items()},
    "compiled in Lightning": lambda state: {"state_dict": {f"model._orig_mod.{k}": t for k, t in state.items()}},
    "torchvision": lambda state: {torchvisions(key): tensor for key, tensor in state.items()},
}


@pytest.mark.parametrize("wrapped", WRAPPED)
def test_what_training_scripts_save_is_unwrapped(wrapped: str, plain: dict[str, torch.Tensor], tmp_path: Path) -> None:
    torch.save(WRAPPED[wrapped](plain), tmp_path / "weights.pt")
    assert load_authors_checkpoint(tmp_path / "weights.pt").wall is not None


def test_the_moving_average_is_taken_and_others_are_not_guessed(plain: dict[str, torch.Tensor], tmp_path: Path) -> None:
    ones = {key: tensor + 1 for key, tensor in plain.items() if key.startswith("31.6")}
    torch.save({"state_dict": plain, "state_dict_ema": plain | ones}, tmp_path / "ema.pt")
    with pytest.warns(UserWarning, match="moving average: state_dict_ema is used"):
        model = load_authors_checkpoint(tmp_path / "ema.pt")
    assert bool((model.classifier[6].bias == 1).all())
    torch.save({"state_dict": plain, "teacher": plain}, tmp_path / "two.pt")
    with pytest.raises(InputError, match=r"several state dicts that fit \(state_dict and teacher\)"):
        load_authors_checkpoint(tmp_path / "two.pt")
    torch.save({0: torch.zeros(1)}, tmp_path / "numbers.pt")
    with pytest.raises(InputError, match="to have names, but got keys such as 0"):
        load_authors_checkpoint(tmp_path / "numbers.pt")


class Exploit:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (print, ("executed",))


@pytest.mark.parametrize(
    "content", [b"", b"not a checkpoint", b"root:x:0:0:root:/root:/bin/sh\n", pickle.dumps(Exploit())]
)
def test_damaged_files_and_pickles_are_refused_without_being_run(
    content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.pt").write_bytes(content)
    with pytest.raises(InputError, match="state dict of plain tensors"):
        load_authors_checkpoint(tmp_path / "bad.pt")
    assert "executed" not in capsys.readouterr().out


def test_missing_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no weights file"):
        load_authors_checkpoint(tmp_path / "none.pt")
    with pytest.raises(InputError, match=r"--weights params_vgg16_masked\.pt"):
        load_model("masked-vgg16")


def test_safetensors_round_trip(narrow_vgg: MaskedVGG16, tmp_path: Path) -> None:
    path = save_model(narrow_vgg, tmp_path / "new" / "mini.safetensors", {"accuracy": 0.9})
    sidecar = json.loads(path.with_suffix(".json").read_text())
    assert sidecar["wall"] == "bottom:54"
    assert sidecar["info"] == {"accuracy": 0.9}
    loaded = load_model("masked-vgg16", path)
    assert all(torch.equal(a, b) for a, b in zip(loaded.parameters(), narrow_vgg.parameters(), strict=True))
    assert [p.name for p in path.parent.iterdir() if p.name.startswith(".")] == []
    with pytest.raises(InputError, match="--model masked-vgg16"):
        load_model("baseline-vgg16", path)


def test_damaged_safetensors_are_refused(narrow_vgg: MaskedVGG16, tmp_path: Path) -> None:
    path = save_model(narrow_vgg, tmp_path / "mini.safetensors")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match="SHA-256"):
        load_model_file(path)
    path.with_suffix(".json").write_text("{}")
    with pytest.raises(InputError, match=r"mini\.json: expected the content to have config, weights_sha256"):
        load_model_file(path)
    path.with_suffix(".json").unlink()
    with pytest.raises(InputError, match="no sidecar"):
        load_model_file(path)
    with pytest.raises(InputError, match=r"\.safetensors"):
        save_model(narrow_vgg, tmp_path / "mini.pt")


def test_safetensors_of_another_network_are_refused(narrow_vgg: MaskedVGG16, tmp_path: Path) -> None:
    path = save_model(narrow_vgg, tmp_path / "mini.safetensors")
    save_file({"x": torch.zeros(1)}, path)
    sidecar = json.loads(path.with_suffix(".json").read_text())
    from stackwalls.model import file_sha256

    path.with_suffix(".json").write_text(json.dumps(sidecar | {"weights_sha256": file_sha256(path)}))
    with pytest.raises(InputError, match="another network"):
        load_model_file(path)


def test_a_disk_that_refuses_leaves_nothing_behind(
    narrow_vgg: MaskedVGG16, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("stackwalls.model.networks.files.weights.save_file", refuse)
    with pytest.raises(RunError, match="No space left"):
        save_model(narrow_vgg, tmp_path / "mini.safetensors")
    assert list(tmp_path.iterdir()) == []
