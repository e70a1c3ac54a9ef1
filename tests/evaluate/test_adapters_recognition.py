"""Which form a method is, names for the tables, and methods and networks found by import."""

import functools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_grad_cam
import torch
from adapter_cases import IMAGES, TARGETS, maps_of
from in_memory_dataset import sparse_vgg
from torch import nn

from stackwalls.evaluate import METHODS, GradCamExplainer, Maps, Subject
from stackwalls.evaluate.adapters import (
    CaptumExplainer,
    Configured,
    FunctionExplainer,
    GradCamClassExplainer,
    OwnExplainer,
    PrecomputedExplainer,
    TorchCamExplainer,
    as_explainer,
    named_methods,
    registered,
)
from stackwalls.model import BlindModel, InputError, import_object, is_import_spec, model_from

MODULE = """
import functools
import torch
from torch import nn
from stackwalls.evaluate.adapters import Configured
from stackwalls.model import MaskedVGG16, Wall

def my_method(model, inputs, targets):
    import own_neighbor  # at call time
    return own_neighbor.ones(inputs)

class Attribution:
    def __init__(self, model):
        self.forward_func = model
    def attribute(self, inputs, target):
        return inputs.detach() - 0.5

class Holder:
    method = staticmethod(my_method)

NUMBER = 3
configured = Configured(Attribution, reduce="abs-sum", max_batch=1)

def network():
    return MaskedVGG16(num_classes=10, width=1 / 16)

ready = network()

class Own(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 16, stride=16)
        self.target_layer, self.wall = nn.ReLU(), Wall.parse("bottom:64")
        self.fc = nn.Linear(4, 10)
    def forward(self, x):
        return self.fc(self.target_layer(self.conv(x))[:, :, :10].mean((2, 3)))

def without_wall():
    model = Own()
    del model.wall
    return model

def wall_in_words():
    model = Own()
    model.wall = "bottom:64"
    return model

def without_layer():
    model = Own()
    model.target_layer = None
    return model

def others_layer():
    model = Own()
    del model.target_layer
    object.__setattr__(model, "target_layer", nn.ReLU())
    return model

def failing():
    raise OSError("no weights here")
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of a module in the working directory, which is not on Python's path."""
    (tmp_path / "own_package").mkdir()
    (tmp_path / "own_package/__init__.py").touch()
    (tmp_path / "own_package/explain.py").write_text(MODULE)
    (tmp_path / "own_neighbor.py").write_text("def ones(x):\n    return x.new_ones(len(x), 224, 224)\n")
    (tmp_path / "own_broken.py").write_text("1 / 0\n")
    (tmp_path / "own_needy.py").write_text("import a_package_that_is_not_there\n")
    monkeypatch.chdir(tmp_path)
    for name in [name for name in sys.modules if name.startswith("own_")]:  # of other tests
        monkeypatch.delitem(sys.modules, name)
    before, path = set(sys.modules), list(sys.path)
    yield "own_package.explain"
    sys.path[:] = path
    for name in set(sys.modules) - before:
        if name.startswith("own_"):
            del sys.modules[name]


class Extractor:
    """With torch-cam's interface."""

    def __init__(self, model: nn.Module, target_layer: nn.Module) -> None:
        self.model, self.submodule_dict = model, dict(model.named_modules())
        self.target_names = [name for name, module in self.submodule_dict.items() if module is target_layer]
        self.hook_handles, self._hooks_enabled = [object()], False

    def enable_hooks(self) -> None:
        self._hooks_enabled = True

    def reset_hooks(self) -> None: ...

    def remove_hooks(self) -> None: ...

    def __call__(self, class_idx: list[int], scores: torch.Tensor, normalized: bool) -> list[torch.Tensor]:
        assert normalized
        return [torch.ones(len(class_idx), 14, 14)]


class Attribution:
    """With captum's interface."""

    def __init__(self, model: nn.Module) -> None:
        self.forward_func = model

    def attribute(self, inputs: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return inputs.detach()


class Cam:
    """With grad-cam's interface."""

    def __init__(self, model: nn.Module, target_layers: list[nn.Module]) -> None: ...

    def forward(self, inputs: torch.Tensor, targets: list[Any]) -> np.ndarray:
        return np.ones((len(targets), 224, 224), np.float32)

    __call__ = forward


class Own:
    """An `Explainer`."""

    methods, max_batch = ("mine", "theirs"), None

    def explain(self, images: Any, targets: Any, methods: Any, progress: Any = None) -> dict[str, Maps]:
        return {}


def function(model: Any, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return inputs.new_ones(len(inputs), 224, 224)


class Callable:
    """An object that is called as a function."""

    def __call__(self, model: Any, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return function(model, inputs, targets)


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("GradCAM", GradCamExplainer),
        ("GradCAMPlusPlus", GradCamExplainer),
        (pytorch_grad_cam.GradCAMPlusPlus, GradCamExplainer),
        ("LayerCAM", GradCamClassExplainer),
        ("pytorch_grad_cam:LayerCAM", GradCamClassExplainer),
        ("pytorch_grad_cam:XGradCAM", GradCamExplainer),
        (Cam, GradCamClassExplainer),
        (functools.partial(Cam), GradCamClassExplainer),
        (Attribution, CaptumExplainer),
        (functools.partial(Attribution), CaptumExplainer),
        (Extractor, TorchCamExplainer),
        (functools.partial(Extractor), TorchCamExplainer),
        (function, FunctionExplainer),
        (functools.partial(function), FunctionExplainer),
        (Callable(), FunctionExplainer),
        (Configured(function), FunctionExplainer),
        ({"a": np.ones((224, 224))}, PrecomputedExplainer),
        (np.ones((1, 224, 224)), PrecomputedExplainer),
    ],
)
def test_the_form_is_told_by_the_interface(method: object, expected: type) -> None:
    subject = Subject.of(sparse_vgg())
    explainer = as_explainer("mine", method, subject)
    assert isinstance(explainer, expected)
    assert explainer.methods == ("mine",)
    if expected is not PrecomputedExplainer:
        assert explainer.explain(IMAGES, TARGETS, ["mine"])["mine"].maps.shape == (2, 224, 224)


def test_ready_objects_and_explainers() -> None:
    subject = Subject.of(sparse_vgg())
    assert isinstance(as_explainer("mine", Attribution(subject.model), subject), CaptumExplainer)
    assert isinstance(as_explainer("mine", Extractor(subject.model, subject.target_layer), subject), TorchCamExplainer)
    own = Own()
    assert isinstance(as_explainer("mine", own, subject), OwnExplainer)
    assert as_explainer("mine", own, subject).methods == ("mine",)
    ready = as_explainer("mine", function, subject)
    assert as_explainer("mine", ready, subject) is ready
    with pytest.raises(InputError, match="given as other makes mine, theirs"):
        as_explainer("other", own, subject)
    with pytest.raises(InputError, match="`reduce` has no meaning for an Explainer"):
        as_explainer("mine", Configured(own, reduce="sum"), subject)
    with pytest.raises(InputError, match="`reduce` has no meaning for GradCAM of the registry"):
        as_explainer("mine", Configured("GradCAM", reduce="sum"), subject)
    assert as_explainer("mine", Configured("GradCAM", max_batch=2), subject).max_batch == 2


@pytest.mark.parametrize("method", [3, None, object(), [1, 2], int, Path])
def test_what_is_no_method_is_answered_with_the_forms(method: object) -> None:
    with pytest.raises(
        InputError, match=r"The method mine is .*: expected one of a name .*; maps that were made elsewhere"
    ):
        as_explainer("mine", method, Subject.of(sparse_vgg()))


@pytest.mark.parametrize(
    ("name", "near"), [("GradCam", "GradCAM"), ("layercam", "LayerCAM"), ("grad-cam++", "GradCAM++")]
)
def test_an_unknown_name_is_answered_with_the_nearest(name: str, near: str) -> None:
    with pytest.raises(
        InputError, match=f"Unknown method '{name.replace('+', '.')}'.* Did you mean '{near.replace('+', '.')}'"
    ):
        as_explainer("mine", name, Subject.of(sparse_vgg()))


def test_names_for_the_tables() -> None:
    assert named_methods() == {name: name for name in METHODS}
    assert registered(named_methods()) == tuple(METHODS)
    assert (
        named_methods("GradCAMPlusPlus")
        == named_methods({"GradCAM++": "GradCAMPlusPlus"})
        == {"GradCAM++": "GradCAM++"}
    )
    others = {
        "EigenCAM": function,
        "mine": "GradCAM",
        "GradCAM": "torchcam.methods:GradCAM",
        "array": np.ones((2, 7, 7)),
    }
    assert registered(named_methods({"XGradCAM": "XGradCAM", **others})) == ("XGradCAM",)
    assert named_methods("GradCAM") == {"GradCAM": "GradCAM"}
    assert named_methods(function) == {"function": function}
    assert named_methods(Cam) == {"Cam": Cam}
    own = {"a": function, "b": "GradCAM"}
    assert named_methods(own) == own
    several = [
        "GradCAMPlusPlus",
        "torchcam.methods:GradCAM",
        "captum.attr:Saliency",
        "out/maps.npz",
        Path("x/more.npy"),
    ]
    assert list(named_methods(several)) == ["GradCAM++", "torchcam.methods:GradCAM", "Saliency", "maps", "more"]
    attribution, partial = Attribution(nn.ReLU()), functools.partial(function)
    assert list(named_methods([attribution, partial, Callable(), Configured(Cam)])) == [
        "Attribution",
        "function",
        "Callable",
        "Cam",
    ]
    assert named_methods(["GradCAM", "GradCAM"]) == {"GradCAM": "GradCAM"}
    assert list(named_methods(["a:run", "b:run"])) == ["run", "b:run"]
    with pytest.raises(InputError, match="Two methods have the name 'Attribution'"):
        named_methods([attribution, Attribution(nn.ReLU())])
    with pytest.raises(InputError, match="No method was named"):
        named_methods([])
    with pytest.raises(InputError, match="the name of a method to be text on one line, but got 3"):
        named_methods({3: "GradCAM"})


def test_import_specs() -> None:
    for text in ("mypkg:run", "mypkg.explain:my_method", "a.b.c:D.e", "_a1:b_2"):
        assert is_import_spec(text), text
    for text in ("GradCAM", "C:/maps.npz", "a.b", "a:", ":b", "a b:c", "walled:resnet-50", "a:b:c", "1a:b", "./a:b"):
        assert not is_import_spec(text), text


def test_a_method_in_the_working_directory(module: str) -> None:
    subject = Subject.of(sparse_vgg())
    for name in ("my_method", "Holder.method"):
        assert (maps_of(f"{module}:{name}", subject).maps == 1).all()
    assert maps_of(f"{module}:Attribution", subject).maps.min() == 0
    assert import_object("torch.nn:Linear") is nn.Linear
    explainer = as_explainer("mine", f"{module}:configured", subject)
    assert isinstance(explainer, CaptumExplainer)
    assert (explainer.max_batch, explainer.reduce) == (1, "abs-sum")
    with pytest.raises(InputError, match="Expected one Configured, but got one inside another"):
        as_explainer("mine", Configured(f"{module}:configured", reduce="sum"), subject)


def test_what_cannot_be_imported_says_what_was_tried(module: str, tmp_path: Path) -> None:
    for spec, reason in {
        "no_colon": "expected package.module:name",
        "absent_package.explain:f": f"there is no module 'absent_package', neither on Python's path nor in {tmp_path}",
        "own_package.absent:f": "there is no module 'own_package.absent'",
        f"{module}:my_metod": f"module '{module}' has no attribute 'my_metod'. Did you mean 'my_method'",
        f"{module}:Holder.other": "type object 'Holder' has no attribute 'other'",
        "own_broken:f": "importing own_broken raised ZeroDivisionError: division by zero",
        "own_needy:f": "importing own_needy raised ModuleNotFoundError: No module named 'a_package_that_is_not_there'",
    }.items():
        with pytest.raises(InputError) as caught:
            import_object(spec)
        assert f"Cannot import {spec!r}: " in str(caught.value)
        assert reason in str(caught.value)
    with pytest.raises(InputError, match="The method mine is int: expected one of"):
        as_explainer("mine", f"{module}:NUMBER", Subject.of(sparse_vgg()))


def test_networks_by_import(module: str) -> None:
    for name in ("network", "ready"):
        assert isinstance(model_from(f"{module}:{name}"), BlindModel)
    own = model_from(f"{module}:Own")
    subject = Subject.of(own)
    assert str(subject.wall) == "bottom:64"
    assert maps_of("GradCAM", subject).maps.shape == (2, 224, 224)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("without_wall", r"Own has no wall, .* put it behind one by `walled\(model, .* set its attribute `wall`"),
        ("wall_in_words", r"Expected `wall` to be a Wall, such as Wall\.parse.* but got 'bottom:64'"),
        ("without_layer", r"Own names no target layer: set its attribute `target_layer`.* \(N, C, h, w\)"),
        ("others_layer", "The target layer ReLU is not a module of Own"),
        ("failing", r"Cannot make a network by .*:failing\(\): OSError: no weights here"),
        ("NUMBER", "is an object of type int: expected a torch.nn.Module, or a function that returns one"),
        ("my_method", r"Cannot make a network by .*TypeError: my_method\(\) missing 3 required"),
        ("Holder", r"Holder\(\) returned an object of type Holder: expected a torch.nn.Module"),
        ("absent", "has no attribute 'absent'"),
    ],
)
def test_what_is_no_network_is_said(module: str, name: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        Subject.of(model_from(f"{module}:{name}"))
