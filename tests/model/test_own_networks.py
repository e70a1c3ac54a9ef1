"""Classifiers of one's own behind a wall: checkpoints, transformers' folders, factories; their names and transforms."""

import json
import warnings
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
import transformers as tf
from PIL import Image
from safetensors.torch import save_file
from torch import nn

from stackwalls.model import (
    Backbone,
    InputError,
    MaskedVGG16,
    Transform,
    Wall,
    Walled,
    certify,
    file_sha256,
    load_backbone,
    load_model,
    to_input,
    walled,
)
from stackwalls.model.images import class_names
from stackwalls.model.images.label_space import read_label_space
from stackwalls.model.networks.backbones.inputs_and_classes import InputsAndClasses, logit_names

NAME, NAMES = "walled:timm/test_resnet", ("ant", "bee", "cow", "dog", "elk")
State = dict[str, torch.Tensor]


def network(classes: int = 5) -> nn.Module:
    torch.manual_seed(0)
    made: nn.Module = timm.create_model("test_resnet", num_classes=classes).eval()
    return made


@pytest.fixture(scope="module")
def state() -> State:
    return network().state_dict()


def prefixed(prefix: str, state: State) -> State:
    return {f"{prefix}{key}": tensor for key, tensor in state.items()}


FORMS: dict[str, Callable[[State], object]] = {
    "plain": lambda state: state,
    "ordered": OrderedDict,
    "Lightning": lambda state: {"state_dict": prefixed("model.", state), "epoch": 1, "hyper_parameters": {"lr": 0.1}},
    "Lightning with a metric": lambda state: {
        "state_dict": prefixed("net.backbone.", state) | {"loss.weight": torch.ones(5)}
    },
    "timm": lambda state: {
        "arch": "test_resnet",
        "state_dict": state,
        "optimizer": {"state": {0: {"x": torch.ones(1)}}},
    },
    "distributed and compiled": lambda state: {"model": prefixed("module._orig_mod.", state)},
    "without counters": lambda state: {key: t for key, t in state.items() if not key.endswith("num_batches_tracked")},
}


@pytest.mark.parametrize("form", FORMS)
def test_a_checkpoint_of_ones_own(form: str, state: State, tmp_path: Path) -> None:
    torch.save(FORMS[form](state), tmp_path / "own.ckpt")
    model = load_model(NAME, tmp_path / "own.ckpt", "bottom:32", class_names=NAMES)
    images = torch.randn(2, 3, 160, 160)
    with torch.no_grad():
        torch.testing.assert_close(model(images), network()(images[:, :, :128]), rtol=1e-5, atol=1e-5)
    assert (model.class_names, str(model.wall), model.transform.size) == (NAMES, "bottom:32@160", 160)


def test_the_moving_average_and_half_precision_are_said(state: State, tmp_path: Path) -> None:
    path = tmp_path / "own.pth"
    average = {key: tensor + 1 if key == "fc.bias" else tensor for key, tensor in state.items()}
    torch.save({"model": state, "model_ema": prefixed("module.", average)}, path)
    with pytest.warns(UserWarning, match=r"moving average: model_ema/module\.\* is used"):
        model = load_model(NAME, path, class_names=NAMES)
    assert torch.equal(model.own_weights()["fc.bias"], average["fc.bias"])  # type: ignore[operator]
    torch.save({key: tensor.bfloat16() for key, tensor in state.items()}, path)
    with pytest.warns(UserWarning, match="are bfloat16; the network computes in float32"):
        assert {p.dtype for p in load_model(NAME, path, class_names=NAMES).parameters()} == {torch.float32}


WRONG: dict[str, tuple[Callable[[State, Path], object], str]] = {
    "another network": (
        lambda state, p: torch.save(timm.create_model("test_nfnet").state_dict(), p),
        "another network",
    ),
    "no head": (
        lambda state, p: torch.save({k: t for k, t in state.items() if "fc" not in k}, p),
        "holds no classifier for .*: fc.weight, fc.bias are missing",
    ),
    "half of it": (
        lambda state, p: torch.save({k: t for k, t in state.items() if "layer4" not in k}, p),
        "another network than test_resnet: tensors 15 missing",
    ),
    "one more layer": (
        lambda state, p: torch.save(state | {"layer5.weight": torch.ones(1)}, p),
        r"1 unknown \(first: 'layer5.weight'\)",
    ),
    "another head": (lambda state, p: torch.save(network(3).state_dict(), p), "has 3 logits, but 5 class names"),
    "a module": (lambda state, p: torch.save(network(), p), r"Save the network's state_dict\(\) alone"),
    "cut off": (lambda state, p: (torch.save(state, p), p.write_bytes(p.read_bytes()[:3000])), "damaged"),
    "integers": (
        lambda state, p: torch.save(state | {"fc.weight": torch.ones(5, 96, dtype=torch.int8)}, p),
        "tensor 'fc.weight' is of torch.int8, not torch.float32",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_files_that_do_not_fit_are_one_sentence(case: str, state: State, tmp_path: Path) -> None:
    make, reason = WRONG[case]
    make(state, tmp_path / "own.pt")
    with pytest.raises(InputError, match=reason) as found:
        load_model(NAME, tmp_path / "own.pt", class_names=NAMES)
    assert "\n" not in str(found.value)


def test_truncated_safetensors_and_a_checkpoint_without_names(state: State, tmp_path: Path) -> None:
    path = tmp_path / "own.safetensors"
    save_file(state, path)
    with pytest.warns(UserWarning, match="5 classes without names"):
        assert load_model(NAME, path).class_names is None
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(InputError, match="does not load as safetensors"):
        load_model(NAME, path, class_names=NAMES)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("ant\nbee\n", ("ant", "bee")),
        ('["ant", "bee"]', ("ant", "bee")),
        ('{"1": "bee", "0": "ant"}', ("ant", "bee")),
        ('{"1": "bee", "2": "ant"}', "keys of .* 0 to 1"),
        ("[1, 2]", "to be string, but found"),
        ("ant\nant\n", "is there twice"),
        ("", "is empty"),
    ],
)
def test_files_of_class_names(text: str, found: object, tmp_path: Path) -> None:
    (tmp_path / "names").write_text(text)
    if isinstance(found, tuple):
        assert read_label_space(tmp_path / "names").names == found
    else:
        with pytest.raises(InputError, match=str(found)):
            read_label_space(tmp_path / "names")


def test_a_network_of_ones_own_is_saved_with_its_weights(state: State, tmp_path: Path) -> None:
    save_file(state, tmp_path / "own.safetensors")
    model = load_model(NAME, tmp_path / "own.safetensors", "box:32:32:96:128", class_names=NAMES)
    model.save_pretrained(tmp_path / "saved")  # type: ignore[operator]
    config = json.loads((tmp_path / "saved/config.json").read_text())
    assert config["weights_sha256"] == file_sha256(tmp_path / "saved/model.safetensors")
    assert (config["backbone"], config["weights"], config["num_classes"]) == ("timm/test_resnet", None, 5)
    loaded = load_model(str(tmp_path / "saved"))
    images = torch.randn(2, 3, 160, 160)
    with torch.no_grad():
        assert torch.equal(loaded(images), model(images))
    for key in ("name", "wall", "class_names", "transform", "mean", "std"):
        assert getattr(loaded, key) == getattr(model, key)
    assert certify(loaded).passed
    # the file is the library's: it loads again as a checkpoint
    again = load_model(NAME, tmp_path / "saved/model.safetensors", class_names=NAMES)
    assert torch.equal(again.own_weights()["fc.weight"], state["fc.weight"])  # type: ignore[operator]
    save_file({key: tensor + 1 for key, tensor in state.items()}, tmp_path / "saved/model.safetensors")
    with pytest.raises(InputError, match="its SHA-256 differs"):
        load_model(str(tmp_path / "saved"))


def test_trained_weights_of_a_library_become_ones_own(tmp_path: Path) -> None:
    backbone = load_backbone("timm/test_resnet", pretrained=False)
    model = Walled(backbone, Wall.parse("bottom:32@160"))
    with torch.no_grad():
        next(model.parameters()).add_(1)
    model.save_pretrained(tmp_path)
    assert torch.equal(next(load_model(str(tmp_path)).parameters()), next(model.parameters()))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What transformers' `save_pretrained` writes."""
    torch.manual_seed(0)
    sizes = {"embedding_size": 8, "hidden_sizes": [8, 8, 16, 16], "depths": [1] * 4}
    names = dict(enumerate(NAMES))
    config = tf.ResNetConfig(**sizes, id2label=names, label2id={name: index for index, name in names.items()})
    tf.ResNetForImageClassification(config).save_pretrained(tmp_path / "net")
    tf.ConvNextImageProcessor(size={"shortest_edge": 128}, crop_pct=0.875).save_pretrained(tmp_path / "net")
    return tmp_path / "net"


def test_a_folder_of_transformers(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    model = load_model("walled:hf/./net")
    assert (str(model.wall), model.class_names) == ("bottom:32@128", NAMES)
    assert (model.transform, model.mean) == (Transform(128, 146, "bicubic"), (0.5, 0.5, 0.5))
    model.save_pretrained("saved")  # type: ignore[operator]
    loaded, images = load_model("saved"), torch.randn(2, 3, 128, 128)
    with torch.no_grad():
        assert torch.equal(loaded(images), model(images))
    assert (loaded.name, loaded.class_names, loaded.transform) == (model.name, model.class_names, model.transform)
    with pytest.raises(InputError, match="already includes weights"):
        load_model("walled:./net", weights="x.pt")
    with pytest.raises(InputError, match="has 5 logits, but 1 class names"):
        load_model("walled:./net", class_names=["ant"])


def test_what_a_folder_of_transformers_must_have(folder: Path) -> None:
    spec, path = f"walled:hf/{folder}", folder / "preprocessor_config.json"
    sizes = {"size": {"height": 96, "width": 128}, "crop_pct": None, "image_processor_type": "ViTImageProcessor"}
    path.write_text(json.dumps(json.loads(path.read_text()) | sizes))
    with pytest.raises(InputError, match=r"images of 96 × 128 pixels.*expected square ones"):
        load_model(spec)
    path.unlink()
    with pytest.warns(UserWarning, match="normalized as ImageNet's"):
        assert str(load_model(spec).wall) == "bottom:64"
    tf.ResNetModel.from_pretrained(folder).save_pretrained(folder)
    with pytest.raises(InputError, match="holds no trained classifier"):
        load_model(spec)
    (folder / "model.safetensors").unlink()
    torch.save({}, folder / "pytorch_model.bin")
    with pytest.raises(InputError, match=r"has no model\.safetensors"):
        load_model(spec)


def test_code_in_a_folder_of_transformers_is_never_run(folder: Path) -> None:
    path = folder / "config.json"
    config = json.loads(path.read_text())
    (folder / "code.py").write_text("raise SystemExit('executed')")
    for own in ({"AutoModelForImageClassification": "code.Model"}, {"AutoConfig": "code.Config"}):
        path.write_text(json.dumps(config | {"model_type": "evil", "auto_map": own}))
        with pytest.raises(InputError, match=r"does not load as an image classifier|requires its own code"):
            load_model(f"walled:hf/{folder}")


def test_a_folder_of_timm_and_a_factory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    timm.models.save_for_hf(network(), "net", model_config={"label_names": list(NAMES)}, safe_serialization=True)
    model = load_model("walled:./net")
    assert (model.class_names, str(model.wall)) == (NAMES, "bottom:64@160")
    (tmp_path / "own_factory.py").write_text(
        "import timm\ndef make():\n    net = timm.create_model('test_resnet', num_classes=5)\n"
        f"    net.class_names = {list(NAMES)}\n    return net\n"
    )
    made = load_model("walled:own_factory:make", wall="left:32")
    assert (made.class_names, str(made.wall)) == (NAMES, "left:32@160")
    assert certify("walled:own_factory:make", "left:32").wall == "left:32@160"


PROCESSORS = [
    tf.ConvNextImageProcessor(size={"shortest_edge": 128}),
    tf.ConvNextImageProcessor(size={"shortest_edge": 384}),
    tf.BitImageProcessor(size={"shortest_edge": 112}, crop_size=96),
    tf.PoolFormerImageProcessor(size={"shortest_edge": 96}, crop_size={"height": 96, "width": 96}),
    tf.EfficientNetImageProcessor(size={"height": 96, "width": 96}),
    tf.ViTImageProcessor(size={"height": 96, "width": 96}),
    tf.ViTImageProcessor(size={"height": 96, "width": 96}, rescale_factor=1 / 127.5, do_normalize=False),
    tf.LevitImageProcessor(size={"shortest_edge": 112}, crop_size={"height": 112, "width": 112}),
]


@pytest.mark.parametrize("processor", PROCESSORS, ids=lambda each: type(each).__name__)
def test_image_processors_are_respected(processor: tf.BaseImageProcessor) -> None:
    """Against the processor itself, which resizes tensors: equal but for its rounding."""
    ramp = np.add.outer(np.linspace(0, 120, 150), np.linspace(0, 130, 210))
    image = Image.fromarray(np.stack([ramp, 250 - ramp, ramp[:, ::-1]], 2).astype(np.uint8))
    known = InputsAndClasses.of_transformers("net", tf.ResNetConfig(), processor.to_dict())
    assert known.transform is not None
    expected = processor(images=image, return_tensors="pt")["pixel_values"]
    found = to_input(known.transform(image).copy()[None], known.mean, known.std)
    step = 1 / 255 / min(known.std)
    torch.testing.assert_close(found, expected, rtol=0, atol=3.5 * step)


def test_names_and_transforms_of_libraries() -> None:
    import torchvision

    known = InputsAndClasses.of_torchvision(torchvision.models.ResNet50_Weights.IMAGENET1K_V2)
    assert (known.class_names, known.transform) == (class_names(), Transform(224, 232))
    config = timm.models.get_pretrained_cfg("convnext_tiny.in12k").to_dict()
    known = InputsAndClasses.of_timm("net", config, pretrained=True)
    assert known.class_names is not None
    assert (len(known.class_names), known.transform) == (11821, Transform(224, 235, "bicubic"))
    squashed = config | {"input_size": (3, 256, 256), "crop_pct": 1.0, "crop_mode": "squash"}
    known = InputsAndClasses.of_timm("net", squashed, pretrained=False)
    assert (known.class_names, known.transform) == (None, Transform(256, 256, "bicubic", squash=True))
    with pytest.raises(InputError, match="expected square ones"):
        InputsAndClasses.of_timm("net", config | {"input_size": (3, 128, 256)}, pretrained=False)
    synonyms = [f"{name}, or so" if index % 50 else name for index, name in enumerate(class_names())]
    assert logit_names(synonyms) == class_names()
    assert logit_names(["LABEL_0", "LABEL_1"]) is None
    assert logit_names(["crane", "owl", "crane"]) == ("crane (0)", "owl", "crane (2)")


def test_walls_of_the_networks_own_size() -> None:
    model = walled("timm/test_resnet", pretrained=False)
    assert (str(model.wall), model.transform.size) == ("bottom:64@160", 160)
    assert str(walled("timm/test_resnet", "bottom:64+left:32", pretrained=False).wall) == "bottom:64+left:32@160"
    assert walled("timm/test_resnet", "bottom:32@96", pretrained=False).transform == Transform(96, 101)
    backbone = load_backbone("timm/test_resnet", pretrained=False)
    with pytest.raises(InputError, match=r"take bottom:64@160"):
        Walled(backbone, Wall.parse("bottom:54@160"))
    with pytest.raises(
        InputError, match=r"map has 8 rows, which do not divide them evenly\. Take images of 256 pixels"
    ):
        Walled(backbone, Wall.parse("bottom:50@250"))


def test_class_names_of_a_masked_vgg(tmp_path: Path) -> None:
    own = MaskedVGG16(num_classes=5, width=1 / 64, class_names=NAMES)
    own.save_pretrained(tmp_path)
    assert load_model(str(tmp_path)).class_names == NAMES
    with torch.device("meta"):
        some = MaskedVGG16(num_classes=2, width=1 / 64, classes=[7, 0])
        assert some.class_names == (class_names()[7], class_names()[0])
        assert "class_names" not in some.config
        assert MaskedVGG16(width=1 / 64).class_names == class_names()
        with pytest.raises(InputError, match="one for each of 3 logits, but got 5 names"):
            MaskedVGG16(num_classes=3, width=1 / 64, class_names=NAMES)
        with pytest.raises(InputError, match="but got both"):
            MaskedVGG16(num_classes=2, width=1 / 64, classes=[7, 0], class_names=["a", "b"])


def test_a_backbone_of_ones_own_has_the_usual_transform() -> None:
    features = nn.Sequential(nn.Conv2d(3, 8, 32, stride=32), nn.ReLU())
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5))
    model = walled(Backbone("mine", features, head, class_names=NAMES), "bottom:32@96")
    assert (model.transform, model.class_names) == (Transform.of_size(96), NAMES)
    with warnings.catch_warnings(action="error"):
        assert certify(model).passed
