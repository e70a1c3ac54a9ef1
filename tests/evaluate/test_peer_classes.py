"""Every class that grad-cam, torch-cam, captum and zennit export for images: through us = called as its README does.

A class that needs more than a network has a recipe, `(arguments of the constructor, options of the call)`; one that
makes no map of a class is listed as such. A new class of these packages fails here until it is in one of the lists.
"""

import functools
import inspect
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import pytorch_grad_cam
import torch
import torch.nn.functional as F
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import nn
from torchvision.models import VisionTransformer

from stackwalls.evaluate import Maps, Subject
from stackwalls.evaluate.adapters import Configured, ZennitExplainer, as_explainer
from stackwalls.evaluate.adapters.isolation import undisturbed
from stackwalls.model import InputError, Wall

captum = pytest.importorskip("captum.attr", reason="captum is not installed: pip install 'stackwalls[methods]'")
torchcam = pytest.importorskip(
    "torchcam.methods", reason="torch-cam is not installed: pip install 'stackwalls[methods]'"
)
attribution = pytest.importorskip("zennit.attribution", reason="zennit is not installed")
composites = pytest.importorskip("zennit.composites", reason="zennit is not installed")

SIZE = 64
IMAGES = torch.randn(2, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(3))
TARGETS = [1, 3]
QUARTERS = torch.arange(4).view(2, 2).repeat_interleave(32, 0).repeat_interleave(32, 1)[None, None]
"""A feature mask: four features of the image."""
CELLS = torch.arange(4).view(2, 2).repeat_interleave(4, 0).repeat_interleave(4, 1)[None, None]
"""The same of the target layer's map."""

Options = dict[str, Any]
Recipe = tuple[Options, Options]
PLAIN: Recipe = {}, {}


class Net(nn.Module):
    """Each layer a module of its own, used once, with a rule in LRP; the head reads the upper six of eight rows."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv1, self.relu = nn.Conv2d(3, 6, 4, stride=4), nn.ReLU()
        self.conv2, self.target_layer = nn.Conv2d(6, 8, 2, stride=2), nn.ReLU()
        self.pool, self.fc = nn.AdaptiveAvgPool2d(1), nn.Linear(8, 5)
        nn.init.normal_(self.fc.weight, std=3)
        self.wall = Wall.parse("bottom:16", SIZE)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        maps = self.target_layer(self.conv2(self.relu(self.conv1(x))))
        logits: torch.Tensor = self.fc(self.pool(maps[:, :, :6]).flatten(1))
        return logits


SUBJECT = Subject.of(Net().eval())
LAYER = SUBJECT.target_layer


def ours(method: object, subject: Subject = SUBJECT) -> Maps:
    return as_explainer("mine", method, subject).explain(IMAGES, TARGETS, ["mine"])["mine"]


def theirs(call: Callable[[torch.Tensor, int], Any], subject: Subject = SUBJECT) -> torch.Tensor:
    """A library's own call on each image, with the random numbers that it gets through us: `(N, …)`."""
    found = []
    for image, target in zip(IMAGES.split(1), TARGETS, strict=True):
        with undisturbed(subject.model, subject.kept, image, zlib.crc32(b"mine", 0)):
            found.append(torch.as_tensor(call(image.clone().requires_grad_(True), target)).detach())
    return torch.cat(found)


def same(found: Any, expected: torch.Tensor) -> None:
    assert expected.abs().max() > 0
    torch.testing.assert_close(torch.as_tensor(found).float(), expected.float(), rtol=1e-4, atol=1e-6)


def upsampled(maps: torch.Tensor) -> torch.Tensor:
    return F.interpolate(maps[:, None], (SIZE, SIZE), mode="bilinear", align_corners=False)[:, 0]


def classes_of(module: Any, *bases: type) -> set[str]:
    kinds = {name: kind for name, kind in vars(module).items() if inspect.isclass(kind) and not name.startswith("_")}
    return {name for name, kind in kinds.items() if not bases or issubclass(kind, bases)}


GRAD_CAM: dict[str, Recipe] = {
    **dict.fromkeys(
        ["GradCAM", "GradCAMPlusPlus", "XGradCAM", "ScoreCAM", "AblationCAM", "EigenCAM", "HiResCAM"], PLAIN
    ),
    **dict.fromkeys(["LayerCAM", "GradCAMElementWise", "EigenGradCAM", "ShapleyCAM", "FEM", "RandomCAM"], PLAIN),
    **dict.fromkeys(["SegEigenCAM", "FullGrad", "FinerCAM"], PLAIN),
    "KPCA_CAM": ({"gamma": 0.1}, {}),
    "RefineCAM": ({"target_layers": [SUBJECT.model.conv2, LAYER]}, {}),
    "SESS": ({"scales": [64, 80]}, {}),
}
GRAD_CAM_OPTIONS: dict[str, list[Options]] = {
    "GradCAM": [{"aug_smooth": True}, {"eigen_smooth": True}, {"aug_smooth": True, "eigen_smooth": True}],
    "AblationCAM": [{"aug_smooth": True}],
    "FinerCAM": [{"alpha": 0.3}, {"comparison_categories": [1]}, {"eigen_smooth": True}],
}
NO_CAM = {"ActivationsAndGradients", "AblationLayer", "AblationLayerVit", "AblationLayerFasterRCNN"}
NOT_OF_A_CLASS = {"DeepFeatureFactorization"}
BY_A_FUNCTION = {"GuidedBackpropReLUModel"}


def test_all_classes_of_grad_cam_are_here() -> None:
    assert classes_of(pytorch_grad_cam) == {*GRAD_CAM, *NO_CAM, *NOT_OF_A_CLASS, *BY_A_FUNCTION}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("name", "call"),
    [(name, recipe[1]) for name, recipe in GRAD_CAM.items()]
    + [(name, options) for name, several in GRAD_CAM_OPTIONS.items() for options in several],
)
def test_grad_cam(name: str, call: Options) -> None:
    kind, constructor = getattr(pytorch_grad_cam, name), {"target_layers": [LAYER], **GRAD_CAM[name][0]}
    finer = name == "FinerCAM"

    def own(image: torch.Tensor, target: int) -> Any:
        cam = kind(model=SUBJECT.model, **constructor)
        if finer:
            return cam(image, targets=None, target_idx=target, **call)
        return cam(image, [ClassifierOutputTarget(target)], **call)

    expected = theirs(own)
    found = ours(Configured(functools.partial(kind, **constructor), call))
    same(found.maps, expected)
    several = name in ("FullGrad", "SESS", "RefineCAM") or "aug_smooth" in call
    assert several or (found.raw is not None and found.raw.shape == (2, 8, 8))
    if "target_layers" not in GRAD_CAM[name][0] and not GRAD_CAM[name][0]:
        for method in (name, kind):
            same(ours(Configured(method, call)).maps, expected)
    if finer or call:
        assert np.abs(ours(Configured("GradCAM")).maps - expected.numpy()).max() > 0.02


def test_finer_cam_explains_the_predicted_class_as_its_readme_does() -> None:
    """With no class named, all images in one call: what its users get."""
    predicted = SUBJECT.model(IMAGES).argmax(1).tolist()
    with pytorch_grad_cam.FinerCAM(SUBJECT.model, [LAYER]) as cam:
        expected = torch.as_tensor(cam(IMAGES, alpha=0.7))
    explainer = as_explainer("mine", Configured("FinerCAM", {"alpha": 0.7}), SUBJECT)
    same(explainer.explain(IMAGES, predicted, ["mine"])["mine"].maps, expected)


def test_guided_backpropagation_of_grad_cam_by_a_function() -> None:
    def guided(model: nn.Module, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        run = pytorch_grad_cam.GuidedBackpropReLUModel(model=model, device="cpu")
        maps = [run(image[None], int(target)) for image, target in zip(inputs, targets, strict=True)]
        return torch.from_numpy(np.stack(maps)).permute(0, 3, 1, 2)

    expected = theirs(lambda image, target: guided(SUBJECT.model, image.detach(), torch.tensor([target])))
    same(ours(Configured(guided, reduce="sum")).maps, expected.sum(1).clamp_min(0))


TORCH_CAM: dict[str, Recipe] = {
    **dict.fromkeys(["CAM", "ScoreCAM", "GradCAM", "GradCAMpp", "XGradCAM", "LayerCAM", "FinerCAM"], PLAIN),
    "SSCAM": ({"num_samples": 2}, {}),
    "ISCAM": ({"num_samples": 2}, {}),
    "SmoothGradCAMpp": ({"num_samples": 2}, {}),
    "RefineCAM": ({"target_layer": ["conv2", "target_layer"]}, {}),
    "LeGrad": ({"target_layer": ["encoder.layers.encoder_layer_0"]}, {}),
}


def transformer() -> Subject:
    torch.manual_seed(0)
    model = VisionTransformer(SIZE, 16, 1, 2, 8, 16, num_classes=5).eval()
    nn.init.normal_(model.heads.head.weight)
    return Subject.of(model, Wall.parse("bottom:16", SIZE), model.encoder.ln)


def test_all_classes_of_torch_cam_are_here() -> None:
    assert classes_of(torchcam) - {"OutputTarget"} == {*TORCH_CAM}


@pytest.mark.parametrize("name", TORCH_CAM)
def test_torch_cam(name: str) -> None:
    subject = transformer() if name == "LeGrad" else SUBJECT
    kind, constructor = getattr(torchcam, name), {"target_layer": subject.target_layer, **TORCH_CAM[name][0]}

    def own(image: torch.Tensor, target: int) -> torch.Tensor:
        extractor = kind(subject.model, **constructor)
        shown: torch.Tensor = extractor(class_idx=[target], scores=subject.model(image))[0]
        return shown

    expected = theirs(own, subject)
    found = ours(functools.partial(kind, **constructor), subject)
    same(found.raw, expected)
    assert found.final
    same(found.maps, upsampled(expected))


def test_cam_of_torch_cam_has_no_relu() -> None:
    """It shows what speaks against the class too, shifted into [0, 1]: with a ReLU of ours it would be another map."""
    unlikely = SUBJECT.model(IMAGES).argmin(1).tolist()
    methods = torchcam.CAM, Configured(torchcam.CAM, reduce="sum")
    shown, rectified = (as_explainer("CAM", one, SUBJECT).explain(IMAGES, unlikely)["CAM"].maps for one in methods)
    assert (rectified == 0).mean() > 0.5
    assert (shown == 0).mean() < 0.05


BASELINES = torch.zeros(3, 3, SIZE, SIZE)
MASKED: Options = {"feature_mask": QUARTERS}
NEURON: Recipe = {}, {"neuron_selector": (2, 1, 1)}
CAPTUM: dict[str, Recipe] = {
    **dict.fromkeys(["IntegratedGradients", "DeepLift", "InputXGradient", "Saliency", "GuidedBackprop"], PLAIN),
    **dict.fromkeys(["Deconvolution", "GuidedGradCam", "LRP", "LayerConductance", "LayerGradientXActivation"], PLAIN),
    **dict.fromkeys(["LayerActivation", "InternalInfluence", "LayerGradCam", "LayerDeepLift"], PLAIN),
    "LayerLRP": ({"layer": SUBJECT.model.conv2}, {}),  # it has no rule for the output of a ReLU
    "LayerIntegratedGradients": ({}, {"n_steps": 4}),
    "DeepLiftShap": ({}, {"baselines": BASELINES}),
    "LayerDeepLiftShap": ({}, {"baselines": BASELINES}),
    "GradientShap": ({}, {"baselines": BASELINES}),
    "LayerGradientShap": ({}, {"baselines": BASELINES}),
    "Occlusion": ({}, {"sliding_window_shapes": (3, 32, 32), "strides": (3, 32, 32), "perturbations_per_eval": 2}),
    **dict.fromkeys(["FeatureAblation", "ShapleyValues"], ({}, MASKED)),
    "ShapleyValueSampling": ({}, {**MASKED, "n_samples": 2}),
    "Lime": ({}, {**MASKED, "n_samples": 20}),
    "KernelShap": ({}, {**MASKED, "n_samples": 20}),
    "LayerFeatureAblation": ({}, {"layer_mask": CELLS}),
    **dict.fromkeys(["NeuronConductance", "NeuronGradient", "NeuronIntegratedGradients", "NeuronDeepLift"], NEURON),
    **dict.fromkeys(["NeuronDeconvolution", "NeuronGuidedBackprop"], NEURON),
    "NeuronFeatureAblation": ({}, {**NEURON[1], **MASKED}),
    "NeuronDeepLiftShap": ({}, {**NEURON[1], "baselines": BASELINES}),
    "NeuronGradientShap": ({}, {**NEURON[1], "baselines": BASELINES}),
    "NoiseTunnel": ({}, {"nt_samples": 3, "stdevs": 0.2}),
}
OF_A_BATCH = {"FeaturePermutation", "LayerFeaturePermutation"}
ABSTRACT = {"Attribution", "GradientAttribution", "PerturbationAttribution", "NeuronAttribution", "LayerAttribution"}
NOT_OF_IMAGES = {
    *("DataLoaderAttribution", "LimeBase"),  # of a data loader; of an interpretable model that the user writes
    *("LLMAttribution", "LLMGradientAttribution", "RemoteLLMAttribution"),
}


def test_all_classes_of_captum_are_here() -> None:
    listed = {*CAPTUM, *OF_A_BATCH, *ABSTRACT, *NOT_OF_IMAGES}
    assert classes_of(captum, captum.Attribution) == listed


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CAPTUM)
def test_captum(name: str) -> None:
    kind, (constructor, call) = getattr(captum, name), CAPTUM[name]

    def made() -> Any:
        if name == "NoiseTunnel":
            return kind(captum.Saliency(SUBJECT.model))
        layer = {"layer": LAYER} if "layer" in inspect.signature(kind).parameters else {}
        return kind(SUBJECT.model, **(layer | constructor))

    def own(image: torch.Tensor, target: int) -> torch.Tensor:
        attribute = made().attribute
        parameters = inspect.signature(attribute).parameters
        named = {"target": target} if "target" in parameters or name == "NoiseTunnel" else {}
        values: torch.Tensor = attribute(image, **named, **call)
        return values

    expected = theirs(own).sum(1)
    found = ours(Configured(made() if name == "NoiseTunnel" else functools.partial(kind, **constructor), call))
    if expected.shape[-1] == SIZE:
        same(found.maps, expected.clamp_min(0))
    else:
        same(found.raw, expected)


COMPOSITES: dict[str, Options] = {
    name: {"low": -3.0, "high": 3.0} if name.endswith("box") else {} for name in composites.COMPOSITES
}
ATTRIBUTORS: dict[str, Options] = {
    "Gradient": {},
    "SmoothGrad": {"n_iter": 3},
    "IntegratedGradients": {"n_iter": 3},
    "Occlusion": {"window": (32, 32), "stride": (32, 32)},
}


def by_zennit(make: Callable[[nn.Module], Any]) -> torch.Tensor:
    """As zennit's README does it: the class's one-hot vector; for Occlusion the class's score."""

    def own(image: torch.Tensor, target: int) -> Any:
        chosen = torch.eye(5)[[target]]
        attributor = make(SUBJECT.model)
        scored = isinstance(attributor, attribution.Occlusion)
        with attributor:
            _, relevance = attributor(image, (lambda output: output * chosen) if scored else chosen)
        return relevance

    return theirs(own).sum(1).clamp_min(0)


@pytest.mark.parametrize("name", COMPOSITES)
def test_composites_of_zennit(name: str) -> None:
    kind, options = composites.COMPOSITES[name], COMPOSITES[name]
    expected = by_zennit(lambda model: attribution.Gradient(model, kind(**options)))
    ready = attribution.Gradient(SUBJECT.model, kind(**options))
    for method in (kind(**options), functools.partial(kind, **options), ready):
        same(ours(method).maps, expected)
    assert isinstance(as_explainer("mine", ready, SUBJECT), ZennitExplainer)


def test_all_attributors_of_zennit() -> None:
    assert classes_of(attribution, attribution.Attributor) - {"Attributor"} == {*ATTRIBUTORS}
    for name, options in ATTRIBUTORS.items():
        kind = getattr(attribution, name)
        expected = by_zennit(functools.partial(kind, **options))
        same(ours(functools.partial(kind, **options)).maps, expected)
        same(ours(kind(SUBJECT.model, **options)).maps, expected)


def test_an_attributors_own_output_is_kept_and_another_networks_attributor_refused() -> None:
    own = attribution.Gradient(SUBJECT.model, attr_output=lambda output: torch.ones_like(output))
    expected = theirs(lambda image, _: torch.autograd.grad(SUBJECT.model(image).sum(), image)[0])
    same(ours(Configured(own, reduce="abs-sum")).maps, expected.abs().sum(1))
    with pytest.raises(InputError, match="was made for another network"):
        ours(attribution.Gradient(Net()))
    with pytest.raises(InputError, match=r"mine cannot be made for Net: TypeError: .*low"):
        ours(composites.COMPOSITES["epsilon_gamma_box"])


@pytest.mark.parametrize("library", [pytorch_grad_cam, torchcam, captum, attribution, composites])
def test_whatever_these_packages_export_is_a_method_or_refused_in_one_sentence(library: Any) -> None:
    """As `--method package:name` would find it; nothing else is raised."""
    said = []
    for name, found in vars(library).items():
        if callable(found) and not name.startswith("__"):
            try:
                as_explainer("mine", found, SUBJECT)
            except InputError as error:
                said.append(str(error))
    assert said
    assert not [text for text in said if "\n" in text or len(text) > 600]


def test_full_grad_without_a_layer_that_it_knows_is_refused() -> None:
    """timm's BatchNormAct2d is a class of its own, and its convolutions have no bias."""
    model = Net().eval()
    model.conv1.bias = model.conv2.bias = None
    with pytest.raises(InputError, match=r"FullGrad finds no layer of Net that it knows.* gradient times input"):
        as_explainer("FullGrad", "FullGrad", Subject.of(model))


@pytest.mark.parametrize("name", sorted(OF_A_BATCH))
def test_what_permutes_a_batch_says_so(name: str) -> None:
    with pytest.raises(InputError, match=r"permutes features among the images of a batch.* take FeatureAblation"):
        ours(getattr(captum, name))


def test_a_factorization_is_not_a_map_of_a_class() -> None:
    with pytest.raises(InputError, match=r"DeepFeatureFactorization\) does not make a map of one class: pass"):
        ours("pytorch_grad_cam:DeepFeatureFactorization")
