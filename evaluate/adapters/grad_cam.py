"""Class activation maps by grad-cam: its own classes, and users' classes of the same interface."""

import io
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, redirect_stdout
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytorch_grad_cam
import torch
from numpy.typing import NDArray
from pytorch_grad_cam.ablation_layer import AblationLayer
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import nn

from stackwalls.evaluate.adapters.adapter import MOST_IMAGES, Adapter, Configured, class_of, parameters_of, preset
from stackwalls.evaluate.adapters.isolation import restored, undisturbed
from stackwalls.evaluate.maps import Maps, Progress
from stackwalls.evaluate.methods import METHODS, MethodSpec
from stackwalls.evaluate.subject import Subject
from stackwalls.model import InputError


class GradCamExplainer:
    """A method of the registry on one network, by grad-cam's own class.

    The graph starts at the target layer, because these methods differentiate nothing before it. So the convolutions
    need no backward pass, a frozen model works, and no other activation is kept.
    """

    def __init__(self, subject: Subject, spec: MethodSpec) -> None:
        self.subject, self.spec, self.layer = subject, spec, subject.target_layer
        self.methods, self.max_batch = (spec.name,), spec.max_batch

    def explain(
        self, images: torch.Tensor, targets: Sequence[int], methods: object = None, progress: Progress | None = None
    ) -> dict[str, Maps]:
        """See `Explainer`. If `targets` are the predicted classes, the same maps as with grad-cam's `targets=None`."""
        del methods  # there is only one
        model, layer = self.subject.model, self.layer
        with restored(model):
            model.requires_grad_(False)
            if self.spec.gradients:
                # registered before grad-cam's own hooks, so that they see what it returns
                layer.register_forward_hook(_start_graph)
            with _in_model(getattr(pytorch_grad_cam, self.spec.cam_class), model, [layer], progress) as cam:
                return {self.spec.name: _maps(cam, images, [ClassifierOutputTarget(int(one)) for one in targets])}


class GradCamClassExplainer(Adapter):
    """A class with grad-cam's interface: `cls(model, target_layers)`, then `cam(input_tensor, targets)`.

    Its maps are final: grad-cam normalizes and upsamples itself. The options of `given` are those of the call, such as
    `eigen_smooth`; a `functools.partial` holds those of the constructor.

    A class that makes its own targets, as FinerCAM does if it gets none, has a parameter for the class that they are
    about: `target_idx`, one for all images of a call.
    """

    def __init__(self, name: str, subject: Subject, given: Configured, seed: int = 0, most: int = MOST_IMAGES) -> None:
        super().__init__(name, subject, given, seed, most)
        given.refuse("a class of grad-cam's interface", "arrays", "reduce")
        self._class = class_of(given.method) or object
        self._layers: list[Any] = list(preset(given.method, "target_layers") or [subject.target_layer])
        self._own_targets = "targets" not in given.options and "target_idx" in parameters_of(
            getattr(self._class, "forward", None)
        )
        self._make_target = self._target_maker(ClassifierOutputTarget)
        self._options = {key: value for key, value in given.options.items() if key != "targets"}
        undone = undisturbed(subject.model, subject.kept, torch.empty(0, 3, 1, 1), seed)
        with undone, self._making(), _in_model(given.method, subject.model, self._layers) as cam:
            self._check_call(cam.forward if self._own_targets else cam, None, None, **self._options)
            # FullGrad reads layers that it finds itself
            read = getattr(getattr(cam, "base_cam", cam), "target_layers", self._layers)
        if not read and issubclass(self._class, pytorch_grad_cam.FullGrad):
            raise InputError(
                f"The method {name} finds no layer of {subject.name} that it knows (a Conv2d or BatchNorm2d with a "
                "bias), so it would be gradient times input: choose another method."
            )
        self.form = self._form_of(self._class, read)
        if self.max_batch is None:
            self.max_batch = 1 if self._own_targets else _usual_batch(self._class)

    @property
    def note(self) -> str | None:
        """See `Adapter.note`; None for a class of grad-cam itself, whose maps its users know."""
        ours = self._class.__module__.partition(".")[0] == pytorch_grad_cam.__name__
        return None if ours and not self.given.options and not isinstance(self.given.method, partial) else super().note

    def _values(self, inputs: torch.Tensor, targets: torch.Tensor) -> Any:
        model = self.subject.model
        # the whole graph, as for grad-cam's users: FullGrad differentiates with respect to the input, SESS detaches it,
        # ShapleyCAM needs a gradient that depends on something
        model.requires_grad_(True)
        with _in_model(self.given.method, model, self._layers) as cam:
            given = inputs.requires_grad_(True)
            if self._own_targets:
                return _maps(cam, given, None, **{"target_idx": int(targets[0]), **self._options})
            return _maps(cam, given, [self._make_target(target) for target in targets.tolist()], **self._options)


@contextmanager
def _in_model(factory: Any, model: nn.Module, layers: list[Any], progress: Progress | None = None) -> Iterator[Any]:
    """grad-cam's object hooked into the model. Unlike grad-cam's own `with`, this one lets every exception through."""
    # grad-cam's default ablation layer is one object, shared by all
    own_layer = {"ablation_layer": AblationLayer()} if "ablation_layer" in parameters_of(factory) else {}
    with ExitStack() as stack:
        stack.enter_context(_without_bars(class_of(factory) or object, progress))
        with redirect_stdout(io.StringIO()):  # FullGrad prints that it uses layers of its own
            cam = factory(model=model, target_layers=layers, **own_layer)
        if hooks := getattr(cam, "activations_and_grads", None):
            stack.callback(hooks.release)
        yield cam


def _maps(cam: Any, images: torch.Tensor, targets: Sequence[Any] | None, **options: Any) -> Maps:
    """What grad-cam's object gives for a batch, with the raw maps if there is one for each image."""
    raw = _recorded(cam)
    maps = np.asarray(cam(images, targets, **options))
    once = len(raw) == 1 and len(raw[0]) == len(images)
    return Maps(maps, raw[0] if once else None)


def _recorded(cam: Any) -> list[NDArray[np.float32]]:
    """A list that will hold the low-resolution maps `(N, h, w)` of each call, before ReLU."""
    raw: list[NDArray[np.float32]] = []
    inner = getattr(cam, "base_cam", cam)
    if original := getattr(inner, "get_cam_image", None):

        def recording(*args: Any, **kwargs: Any) -> Any:
            image = original(*args, **kwargs)
            raw.append(np.array(image, dtype=np.float32))
            return image

        inner.get_cam_image = recording
    return raw


def _start_graph(module: nn.Module, inputs: Any, output: torch.Tensor) -> torch.Tensor:
    """Detach a layer's output. The copy is not a leaf, so an in-place operation may follow."""
    del module, inputs
    return output.detach().requires_grad_(True).clone()


def _usual_batch(cam_class: type) -> int | None:
    """What the registry says about a class's own method or the one that it derives from."""
    known = (s.max_batch for s in METHODS.values() if issubclass(cam_class, getattr(pytorch_grad_cam, s.cam_class)))
    return next(known, None)


@contextmanager
def _without_bars(cam_class: type, progress: Progress | None) -> Iterator[None]:
    """grad-cam's ScoreCAM and AblationCAM show progress bars, which would break ours."""

    def counted(steps: Iterable[Any], *_args: Any, **_kwargs: Any) -> Iterator[Any]:
        known = list(steps)
        for done, step in enumerate(known):
            if progress is not None:
                progress(done, len(known))
            yield step

    with ExitStack() as stack:
        for name in {parent.__module__ for parent in cam_class.__mro__}:
            module: Any = sys.modules.get(name)
            # grad-cam imports the module, and calls tqdm.tqdm; a user's class may use it in any way, and shows its bars
            if name.partition(".")[0] == pytorch_grad_cam.__name__ and hasattr(module, "tqdm"):
                stack.callback(setattr, module, "tqdm", module.tqdm)
                module.tqdm = SimpleNamespace(tqdm=counted)
        yield
