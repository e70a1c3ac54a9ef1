"""Methods of grad-cam, captum and torch-cam by their adapters, against the libraries as their users call them."""

import functools
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
import pytorch_grad_cam
import torch
from adapter_cases import IMAGES, NETWORKS, TARGETS, maps_of, state_of, unusual
from in_memory_dataset import sparse_vgg, walled_cnn
from numpy.typing import NDArray
from pytorch_grad_cam.base_cam import BaseCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputSoftmaxTarget, ClassifierOutputTarget
from torch import nn
from tqdm import tqdm

from stackwalls.evaluate import GradCamExplainer, Subject, mu
from stackwalls.evaluate.adapters import CaptumExplainer, Configured, GradCamClassExplainer, as_explainer
from stackwalls.model import BlindModel, InputError

captum = pytest.importorskip("captum.attr", reason="captum is not installed: pip install 'stackwalls[methods]'")
torchcam = pytest.importorskip(
    "torchcam.methods", reason="torch-cam is not installed: pip install 'stackwalls[methods]'"
)


class OwnLayers(BaseCAM):
    """Reads layers that it finds itself, whatever it is given."""

    def __init__(self, model: nn.Module, target_layers: list[nn.Module]) -> None:
        super().__init__(model, [module for module in model.modules() if isinstance(module, nn.Conv2d)][:1])

    def get_cam_weights(self, input_tensor: Any, target_layers: Any, targets: Any, activations: Any, grads: Any) -> Any:
        return grads.mean(axis=(2, 3))


class OwnCam(BaseCAM):
    """A CAM of one's own: channels weighted by their largest gradient."""

    def get_cam_weights(self, input_tensor: Any, target_layers: Any, targets: Any, activations: Any, grads: Any) -> Any:
        return grads.max(axis=(2, 3))


def plain_grad_cam(model: BlindModel, cam_class: Any, **options: Any) -> NDArray[np.float32]:
    """As grad-cam's README calls it."""
    with cam_class(model=model, target_layers=[model.target_layer]) as cam:
        maps: NDArray[np.float32] = cam(IMAGES, [ClassifierOutputTarget(target) for target in TARGETS], **options)
    return maps


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize(
    "make",
    [
        lambda model: captum.LayerGradCam,
        lambda model: captum.LayerGradCam(model, model.target_layer),
        lambda model: captum.LayerGradCam(model.forward, model.target_layer),
        # before torch-cam's own normalization, which has no second min–max after upsampling
        lambda model: Configured(torchcam.GradCAM, reduce="sum"),
        lambda model: Configured(torchcam.GradCAM(model, model.target_layer), reduce="sum"),
        lambda model: pytorch_grad_cam.GradCAM,
    ],
    ids=["captum class", "captum object", "captum of forward", "torch-cam class", "torch-cam object", "grad-cam class"],
)
def test_grad_cam_is_the_same_map_in_three_libraries(make: Callable[[BlindModel], Any], network: str) -> None:
    model = NETWORKS[network]()
    subject = Subject.of(model)
    expected = plain_grad_cam(model, pytorch_grad_cam.GradCAM)
    found = maps_of(make(model), subject)
    assert np.abs(found.maps - expected).max() <= 1e-4
    assert np.abs(mu(found.maps, subject.wall) - mu(expected, subject.wall)).max() <= 1e-4
    assert found.raw is not None
    assert found.raw.shape == ((2, 14, 14) if network == "vgg" else (2, 7, 7))


@pytest.mark.parametrize(("torch_cam", "grad_cam"), [("XGradCAM",) * 2, ("LayerCAM",) * 2, ("CAM", "GradCAM")])
def test_torch_cams_other_methods_where_the_definitions_agree(torch_cam: str, grad_cam: str) -> None:
    """On a network with global pooling, where CAM is Grad-CAM; torch-cam's CAM has no ReLU of its own."""
    model = walled_cnn()
    expected = plain_grad_cam(model, getattr(pytorch_grad_cam, grad_cam))
    found = maps_of(Configured(getattr(torchcam, torch_cam), reduce="sum"), Subject.of(model)).maps
    assert np.abs(found - expected).max() <= 1e-4


def test_full_grad_and_sess_run_and_print_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """Both make their maps from other graphs than from the target layer on."""
    subject = Subject.of(sparse_vgg())
    sess = functools.partial(pytorch_grad_cam.SESS, scales=[224, 288])
    for method in (pytorch_grad_cam.FullGrad, sess):
        found = maps_of(method, subject)
        assert found.maps.shape == (2, 224, 224)
        assert found.maps.max() > 0.9
        assert found.raw is None, "these maps are not one map upsampled"
    assert capsys.readouterr().out == ""


def test_a_class_of_ones_own_with_options_of_the_call() -> None:
    model = sparse_vgg()
    expected = plain_grad_cam(model, OwnCam)
    assert np.abs(maps_of(OwnCam, Subject.of(model)).maps - expected).max() <= 1e-6
    smooth = plain_grad_cam(model, OwnCam, eigen_smooth=True)
    assert np.abs(smooth - expected).max() > 0.05
    found = maps_of(Configured(OwnCam, {"eigen_smooth": True}), Subject.of(model)).maps
    assert np.abs(found - smooth).max() <= 1e-6


class OwnBars(pytorch_grad_cam.ScoreCAM):
    """Of a module that imports tqdm's class, and uses it as its documentation does."""

    def get_cam_weights(self, *args: Any, **kwargs: Any) -> Any:
        with tqdm(total=1, disable=True) as bar:
            bar.update()
        return np.ones((1, 16)) / len([*tqdm(range(16), disable=True)])


def test_a_users_own_progress_bar_is_left_alone() -> None:
    assert maps_of(OwnBars, Subject.of(sparse_vgg())).maps.max() > 0.9


def softmax_of(category: int) -> Callable[[torch.Tensor], torch.Tensor]:
    return lambda output: output.softmax(-1)[..., category]


@pytest.mark.parametrize("cam_class", [pytorch_grad_cam.GradCAM, OwnCam, pytorch_grad_cam.FinerCAM, torchcam.GradCAM])
def test_other_targets_than_the_logit(cam_class: Any) -> None:
    model = sparse_vgg()
    targets = [ClassifierOutputSoftmaxTarget(target) for target in TARGETS]
    ours_alone = torchcam.GradCAM is cam_class
    if ours_alone:
        with cam_class(model, model.target_layer) as extractor:
            (expected,) = extractor(targets=targets, scores=model(IMAGES), normalized=True)
    else:
        with cam_class(model=model, target_layers=[model.target_layer]) as cam:
            expected = cam(IMAGES, targets)
    for make in (ClassifierOutputSoftmaxTarget, softmax_of):
        found = maps_of(Configured(cam_class, {"targets": make}), Subject.of(model))
        assert np.abs(np.asarray(expected) - (found.raw if ours_alone else found.maps)).max() < 1e-4
    assert np.abs(found.maps - maps_of(cam_class, Subject.of(model)).maps).max() > 1e-3
    for wrong in ([ClassifierOutputSoftmaxTarget(3)], ClassifierOutputSoftmaxTarget(3), 3, "softmax"):
        with pytest.raises(InputError, match="Expected `targets` of the method mine to be a class or function that"):
            maps_of(Configured(cam_class, {"targets": wrong}), Subject.of(model))


def test_a_partial_class_gets_more_arguments_and_a_score_cam_one_image_a_call() -> None:
    model = sparse_vgg()
    subject = Subject.of(model)
    strict = functools.partial(pytorch_grad_cam.FEM, k=0.1)
    assert np.abs(maps_of(strict, subject).maps - maps_of("FEM", subject).maps).max() > 0.01

    class OwnScoreCam(pytorch_grad_cam.ScoreCAM):
        pass

    assert as_explainer("mine", OwnScoreCam, subject).max_batch == 1
    assert as_explainer("mine", Configured(OwnScoreCam, max_batch=3), subject).max_batch == 3
    assert isinstance(as_explainer("mine", pytorch_grad_cam.ScoreCAM, subject), GradCamExplainer)
    assert isinstance(as_explainer("mine", "LayerCAM", subject), GradCamClassExplainer)


def test_layer_grad_cam_has_no_relu_of_its_own() -> None:
    """Its negative values count as 0 here; with absolute values the map is another one."""
    model = sparse_vgg()
    subject = Subject.of(model)
    own = captum.LayerGradCam(model, model.target_layer).attribute(IMAGES, target=torch.tensor(TARGETS))
    assert own.shape == (2, 1, 14, 14)
    assert (own < 0).any()
    found = maps_of(captum.LayerGradCam, subject)
    assert found.raw is not None
    assert np.allclose(found.raw, own[:, 0].detach().numpy(), atol=1e-7), "the raw map keeps its sign"
    absolute = maps_of(Configured(captum.LayerGradCam, reduce="sum-abs"), subject)
    assert np.abs(absolute.maps - found.maps).max() > 0.05


@pytest.mark.parametrize("reduce", ["sum", "sum-abs", "abs-sum", "abs-max", None])
def test_attributions_of_the_input_by_each_reduction(reduce: str | None) -> None:
    """Against the rule written out, on InputXGradient, which has both signs and three channels."""
    model = sparse_vgg()
    own = captum.InputXGradient(model).attribute(IMAGES.clone().requires_grad_(True), target=torch.tensor(TARGETS))
    values = own.detach().numpy()
    expected = {
        "sum": np.maximum(values[:, 0] + values[:, 1] + values[:, 2], 0),
        "sum-abs": np.abs(values[:, 0] + values[:, 1] + values[:, 2]),
        "abs-sum": np.abs(values[:, 0]) + np.abs(values[:, 1]) + np.abs(values[:, 2]),
        "abs-max": np.maximum(np.maximum(np.abs(values[:, 0]), np.abs(values[:, 1])), np.abs(values[:, 2])),
    }
    found = maps_of(Configured(captum.InputXGradient, reduce=reduce), Subject.of(model))
    assert found.raw is None
    assert np.allclose(found.maps, expected[reduce or "sum"], rtol=1e-4, atol=1e-9)
    assert (found.maps > 0).any()


def test_channels_of_a_layer_are_reduced_then_upsampled() -> None:
    """LayerActivation takes no target and gives (N, C, h, w); cv2 upsamples the sum as we do."""
    model = walled_cnn()
    with torch.no_grad():
        low = model.features(IMAGES).sum(1).numpy()
    found = maps_of(captum.LayerActivation, Subject.of(model))
    assert found.raw is not None
    assert np.allclose(found.raw, low, rtol=1e-5)
    for raw, full in zip(low, found.maps, strict=True):
        up = cv2.resize((raw - raw.min()) / (raw.max() - raw.min()), (224, 224))
        assert np.abs((up - up.min()) / (up - up.min()).max() - full).max() < 1e-5


def test_options_of_captum_and_methods_around_methods() -> None:
    model = sparse_vgg()
    subject = Subject.of(model)
    occlusion = Configured(captum.Occlusion, {"sliding_window_shapes": (3, 112, 112), "strides": (3, 112, 112)})
    found = maps_of(occlusion, subject).maps
    blocks = found.reshape(2, 2, 112, 2, 112)
    assert np.abs(blocks - blocks[:, :, :1, :, :1]).max() < 1e-6, "one value a quarter of the image"
    note = getattr(as_explainer("mine", occlusion, subject), "note", "")
    assert "Occlusion (captum), sliding_window_shapes=(3, 112, 112)" in note
    noisy = Configured(captum.NoiseTunnel(captum.Saliency(model)), {"nt_samples": 2, "stdevs": 0.2})
    first, again = maps_of(noisy, subject).maps, maps_of(noisy, subject).maps
    assert np.array_equal(first, again), "random numbers are seeded by the pictures"
    assert not np.array_equal(first, maps_of(noisy, subject, images=IMAGES + 1e-3).maps)
    other_seed = as_explainer("mine", noisy, subject, seed=1).explain(IMAGES, TARGETS, ["mine"])["mine"].maps
    assert not np.array_equal(first, other_seed)


METHODS: dict[str, Any] = {
    "LayerGradCam": captum.LayerGradCam,
    "GuidedGradCam": captum.GuidedGradCam,
    "DeepLift": captum.DeepLift,
    "torch-cam GradCAM": torchcam.GradCAM,
    "torch-cam SmoothGradCAMpp": torchcam.SmoothGradCAMpp,
    "torch-cam FinerCAM": torchcam.FinerCAM,
    "OwnCam": OwnCam,
}


@pytest.mark.parametrize("name", METHODS)
def test_the_model_comes_back_as_it_was(name: str) -> None:
    model = unusual(sparse_vgg())
    before = state_of(model)
    subject = Subject.of(model)
    maps_of(METHODS[name], subject)
    assert state_of(model) == before
    explainer = as_explainer("mine", METHODS[name], subject)
    with pytest.raises((IndexError, AssertionError, RuntimeError, ValueError)):
        explainer.explain(IMAGES, [3, 99], ["mine"])
    assert state_of(model) == before


@pytest.mark.parametrize("name", METHODS)
def test_training_mode_frozen_weights_and_inference_mode_change_nothing(name: str) -> None:
    expected = maps_of(METHODS[name], Subject.of(sparse_vgg())).maps
    frozen = sparse_vgg().train().requires_grad_(False)
    with torch.inference_mode():
        found = maps_of(METHODS[name], Subject.of(frozen)).maps
    assert np.abs(found - expected).max() < 1e-6


def test_a_ready_torch_cam_extractor_comes_back_as_it_was() -> None:
    model = sparse_vgg()
    subject = Subject.of(model)
    extractor = torchcam.GradCAM(model, model.target_layer, enable_hooks=False)
    before = state_of(model)
    assert maps_of(extractor, subject).maps.max() > 0.9
    assert state_of(model) == before
    assert extractor.hook_a == [None]
    assert not extractor._hooks_enabled
    explainer = as_explainer("mine", extractor, subject)
    with pytest.raises(RuntimeError):
        explainer.explain(IMAGES, [3, 99], ["mine"])
    assert state_of(model) == before
    assert not extractor._hooks_enabled
    extractor.remove_hooks()
    with pytest.raises(InputError, match="hooks of the extractor mine have been removed"):
        as_explainer("mine", extractor, subject)


def test_a_method_for_another_network_is_refused() -> None:
    """The wall proves nothing about that one."""
    subject, other = Subject.of(sparse_vgg()), sparse_vgg()
    for method in (
        captum.Saliency(other),
        captum.NoiseTunnel(captum.Saliency(other)),
        torchcam.GradCAM(other, "convolutions"),
    ):
        with pytest.raises(InputError, match=r"mine was made for another network \(MaskedVGG16\)"):
            as_explainer("mine", method, subject)
    wrapped = nn.Sequential(subject.model, nn.Softmax(1))
    assert isinstance(as_explainer("mine", captum.Saliency(wrapped), subject), CaptumExplainer)
    foreign = captum.LayerGradCam(subject.model, other.target_layer)
    with pytest.raises(InputError, match="The layer ReLU of the method mine is not a module of masked-vgg16"):
        as_explainer("mine", foreign, subject)


def test_another_layer_is_said_and_one_behind_the_wall_refused() -> None:
    model = sparse_vgg()
    explainer = as_explainer("mine", captum.LayerGradCam(model, model.convolutions[20]), Subject.of(model))
    assert "at convolutions.20, which is not the network's target layer alone" in (getattr(explainer, "note", "") or "")
    walled = walled_cnn()
    inner = walled.extractor[1]
    for method in (
        captum.LayerGradCam(walled, inner),
        torchcam.GradCAM(walled, inner),
        functools.partial(torchcam.GradCAM, target_layer=inner),
        functools.partial(pytorch_grad_cam.GradCAM, target_layers=[inner]),
        functools.partial(pytorch_grad_cam.RefineCAM, target_layers=[walled.target_layer, inner]),
        captum.GuidedGradCam(walled, inner),
        captum.NoiseTunnel(captum.LayerGradCam(walled, inner)),
        # of layers that they find themselves
        "FullGrad",
        pytorch_grad_cam.FullGrad,
        functools.partial(pytorch_grad_cam.FullGrad),
        OwnLayers,
    ):
        with pytest.raises(InputError, match=r"runs on each side of the wall separately.*target layer, stitched"):
            as_explainer("mine", method, Subject.of(walled))
    own = as_explainer("mine", OwnLayers, Subject.of(sparse_vgg()))
    assert "at convolutions.0, which is not the network's target layer alone" in (getattr(own, "note", "") or "")


def test_what_cannot_be_made_is_said() -> None:
    subject = Subject.of(sparse_vgg())
    with pytest.raises(InputError, match=r"Pass an object, such as NoiseTunnel\(Saliency\(model\)\)"):
        as_explainer("mine", captum.NoiseTunnel, subject)
    with pytest.raises(InputError, match=r"cannot be made for masked-vgg16: ValueError: .*multiple fully connected"):
        as_explainer("mine", torchcam.CAM, subject)
    with pytest.raises(InputError, match=r"is an object of grad-cam.*pass the class, GradCAM"):
        as_explainer("mine", pytorch_grad_cam.GradCAM(subject.model, [subject.target_layer]), subject)
    with pytest.raises(InputError, match="`arrays` has no meaning for a captum attribution"):
        as_explainer("mine", Configured(captum.Saliency, arrays=True), subject)
    for method in ("GradCAM", OwnCam, captum.Saliency):
        with pytest.raises(InputError, match="cannot be called: got an unexpected keyword argument 'aug_smoth'"):
            as_explainer("mine", Configured(method, {"aug_smoth": True}), subject)
    with pytest.raises(InputError, match=r"missing a required argument: 'sliding_window_shapes'.*Configured\(method"):
        as_explainer("mine", "captum.attr:Occlusion", subject)
    with pytest.raises(InputError, match=r"mine cannot be made for masked-vgg16: ValueError: pool has to be either"):
        as_explainer("mine", functools.partial(pytorch_grad_cam.SESS, pool="sum"), subject)
