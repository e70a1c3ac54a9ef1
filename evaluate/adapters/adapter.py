"""What all adapters share: a third-party method with its options, called on a batch of the network it belongs to."""

from __future__ import annotations

import functools
import inspect
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from stackwalls.evaluate.adapters.conversion import REDUCTIONS, describe, to_maps
from stackwalls.evaluate.adapters.isolation import undisturbed
from stackwalls.evaluate.maps import Maps, Progress
from stackwalls.evaluate.subject import Subject
from stackwalls.model import InputError, StackwallsError, Walled, contained, first_line

MOST_IMAGES = 8
"""The most images in one pass of the network, if a run says nothing else: a CPU gains nothing from more."""


@dataclass(frozen=True, eq=False)
class Configured:
    """A method of any form that `as_explainer` takes, with options.

    `Configured(captum.attr.Occlusion, {"sliding_window_shapes": (3, 32, 32)}, reduce="abs-sum", max_batch=2)`

    Attributes:
        options: keyword arguments of every call: of `attribute` (captum), of the function, of the extractor
            (torch-cam), of the CAM object (grad-cam), of the attributor (zennit). Those of a class's constructor go
            into `functools.partial(cls, …)`. `targets` (grad-cam, torch-cam) makes another target than the class's
            logit: a class or function of the class index, such as grad-cam's `ClassifierOutputSoftmaxTarget`.
        reduce: how attributions become one map, of `REDUCTIONS`; "none": the values are final maps, so a negative one
            is an error; None: the form's default.
        max_batch: the most images per call; None: as many as the run's batches have.
        arrays: whether a function gets NumPy arrays, as Quantus passes them, or tensors; None: as its signature says.

    Raises:
        InputError: if a value is out of range.
    """

    method: Any
    options: Mapping[str, Any] = field(default_factory=dict)
    reduce: str | None = None
    max_batch: int | None = None
    arrays: bool | None = None

    def __post_init__(self) -> None:
        if self.reduce not in (known := [*REDUCTIONS, "none"]) and self.reduce is not None:
            raise InputError(f"Expected `reduce` to be one of {str(known)[1:-1]}, but got {self.reduce!r}.")
        if self.max_batch is not None and (not isinstance(self.max_batch, int) or self.max_batch < 1):
            raise InputError(f"Expected `max_batch` to be a whole number of at least 1, but got {self.max_batch!r}.")
        if isinstance(self.method, Configured):
            raise InputError("Expected one Configured, but got one inside another: put all options into one.")

    @classmethod
    def of(cls, method: object) -> Configured:
        """The method itself if it is configured; otherwise the method without options."""
        return method if isinstance(method, Configured) else cls(method)

    def reduction(self, usual: str | None) -> str | None:
        """A key of `REDUCTIONS`, or None for final maps; `usual` by default."""
        return {None: usual, "none": None}.get(self.reduce, self.reduce)

    def refuse(self, form: str, *names: str) -> None:
        """Reject the attributes `names`, which have no meaning for a form, with an `InputError`."""
        if given := [name for name in names if getattr(self, name) not in (None, {})]:
            raise InputError(f"{', '.join(f'`{name}`' for name in given)} has no meaning for {form}: leave it out.")


class _TooManyImages(BaseException):
    """A call has more images than `max_batch` allows by now. Not an `Exception`: third-party code may catch those."""


class Adapter(ABC):
    """One method as an `Explainer`.

    Args:
        name: of its rows in the tables.
        subject: the network under test.
        given: the method and its options.
        seed: of the random numbers that the method draws.
        most: images in one pass of the network, which a method that makes several copies of each image reaches with
            fewer images per call. One image's copies are not divided.

    Raises:
        InputError: if the method does not fit the network, or an option has no meaning for it.
    """

    usual: str | None = None  # the default of Configured.reduce
    form: str  # what the method is, in words

    def __init__(self, name: str, subject: Subject, given: Configured, seed: int = 0, most: int = MOST_IMAGES) -> None:
        self.name, self.subject, self.given, self.seed, self.most = name, subject, given, seed, most
        self.methods = (name,)
        self.max_batch = given.max_batch
        self.reduce = given.reduction(self.usual)

    @property
    def note(self) -> str | None:
        """What a reader of the numbers must know about how the maps were made."""
        options = "".join(f", {key}={_in_words(value)}" for key, value in self.given.options.items())
        return f"{self.name}: {self.form}{options}; its values are {describe(self.reduce)}."

    @abstractmethod
    def _values(self, inputs: torch.Tensor, targets: torch.Tensor) -> Any:
        """What the method returns: attributions or maps of any accepted shape, or `Maps`.

        It may change `inputs` `(N, 3, H, W)`, a copy. `targets` `(N,)` int64 are on the same device.
        """

    def explain(
        self, images: torch.Tensor, targets: Sequence[int], methods: object = None, progress: Progress | None = None
    ) -> dict[str, Maps]:
        """See `Explainer`. Raises whatever the method raises, with the model as it was.

        A method that draws random numbers is called image by image, because what it draws for a batch depends on the
        other images in it. One that passes more than `most` images through the network at once is called with fewer.
        Both set `max_batch` for all further calls.
        """
        del methods, progress  # there is only one, and it reports nothing
        with suppress(_TooManyImages):
            return {self.name: self._called(images, targets)}
        size = self.max_batch or 1
        parts = [slice(start, start + size) for start in range(0, len(images), size)]
        return {self.name: Maps.joined([self.explain(images[part], targets[part])[self.name] for part in parts])}

    def _called(self, images: torch.Tensor, targets: Sequence[int]) -> Maps:
        """The maps by one call of the method."""
        if self.max_batch is not None and len(images) > self.max_batch:
            raise _TooManyImages
        seed = zlib.crc32(self.name.encode(), self.seed)
        with undisturbed(self.subject.model, self.subject.kept, images, seed) as draws:
            self._count_images(len(images))
            chosen = torch.as_tensor(list(targets), dtype=torch.int64, device=images.device)
            values = self._values(images.detach().clone(), chosen)
            maps = (values if isinstance(values, Maps) else to_maps(values, images.shape[-1], self.reduce)).copied()
        if draws.any and len(images) > 1:
            self.max_batch = 1
            raise _TooManyImages
        return maps

    def _count_images(self, given: int) -> None:
        """Stop a call of `given` images whose passes would have more than `most`, before the first such pass."""

        def check(_: nn.Module, inputs: tuple[Any, ...]) -> None:
            passed = len(inputs[0]) if inputs and isinstance(inputs[0], torch.Tensor) and inputs[0].ndim else 0
            if given > 1 and passed > self.most:
                copies = -(-passed // given)
                self.max_batch = max(1, self.most // copies)
                raise _TooManyImages

        model = self.subject.model
        # DeepLift doubles the images after the network got them
        stems = [one for one in model.modules() if isinstance(one, nn.Conv2d) and one.in_channels == 3]
        for module in {model, *stems}:
            module.register_forward_pre_hook(check)  # `undisturbed` removes it

    @contextmanager
    def _making(self) -> Iterator[None]:
        """Whatever a third-party constructor raises, as an `InputError`."""
        try:
            with contained():
                yield
        except StackwallsError:
            raise
        except (Exception, SystemExit) as error:  # whatever it raises is the reason
            reason = f"{type(error).__name__}: {first_line(error)}"
            raise InputError(f"The method {self.name} cannot be made for {self.subject.name}: {reason}") from error

    def _instantiate(self, factory: Any, **arguments: object) -> Any:
        """An object of a third-party class, for the network."""
        with self._making():
            return factory(self.subject.model, **arguments)

    def _target_maker(self, usual: Any = None) -> Any:
        """What makes a target, a function of the network's output, from a class index: the option `targets`."""
        make = self.given.options.get("targets", usual)
        if make is None:
            return None
        made = None
        with suppress(Exception):  # whatever it raises, it is no maker of targets
            made = make(0)
        if not callable(made):
            raise InputError(
                f"Expected `targets` of the method {self.name} to be a class or function that makes a target from the "
                f"index of the explained class, such as ClassifierOutputSoftmaxTarget, but got {make!r:.80}."
            )
        return make

    def _check_call(self, function: Any, *args: object, **options: object) -> None:
        """Reject options that a third-party function does not take, and a call that lacks some."""
        try:
            inspect.signature(function).bind(*args, **options)
        except ValueError:  # of some built-ins
            return
        except TypeError as error:
            raise InputError(
                f"The method {self.name} cannot be called: {error}. The options of its call go into "
                "Configured(method, {'name': value})."
            ) from error

    def _check_network(self, explained: object) -> None:
        """Reject a module that does not contain the network under test: the wall proves nothing about that one.

        A function of the user's own is not inspected.
        """
        explained = getattr(explained, "__self__", explained)  # model.forward
        model = self.subject.model
        if isinstance(explained, nn.Module) and all(module is not model for module in explained.modules()):
            raise InputError(
                f"The method {self.name} was made for another network ({type(explained).__name__}) than the one under "
                f"test ({self.subject.name}): make it with the same object, or pass its class."
            )

    def _form_of(self, kind: type, layers: Sequence[object]) -> str:
        """A class in words, with its package, and the layers that it reads.

        Rejects a layer that is not the network's, or that runs once for each side of the wall.
        """
        subject = self.subject
        names = {id(module): path or "the network itself" for path, module in subject.model.named_modules()}
        if unknown := [type(layer).__name__ for layer in layers if id(layer) not in names]:
            raise InputError(f"The layer {unknown[0]} of the method {self.name} is not a module of {subject.name}.")
        sides = subject.model.sides if isinstance(subject.model, Walled) else ()
        if {id(module) for side in sides for module in side.modules()} & {id(layer) for layer in layers}:
            raise InputError(
                f"The method {self.name} reads a layer of {subject.name} that runs on each side of the wall "
                "separately, so it would stretch one side over the whole image: take the network's target layer, "
                f"{names[id(subject.target_layer)]}, or a method that reads no other."
            )
        form = f"{kind.__name__} ({kind.__module__.partition('.')[0]})"
        if all(layer is subject.map_layer for layer in layers):
            return form
        read = ", ".join(names[id(layer)] for layer in layers)
        return f"{form} at {read}, which is not the network's target layer alone"


class OwnExplainer(Adapter):
    """An `Explainer` of the user's, which makes final maps of one or several methods: of one of them."""

    form = "an explainer"

    @property
    def note(self) -> str | None:
        """See `Adapter.note`: what the explainer says of itself."""
        return getattr(self.given.method, "note", None)

    def _values(self, inputs: torch.Tensor, targets: torch.Tensor) -> Any:
        return self.given.method.explain(inputs, targets.tolist(), [self.name])[self.name]


def _in_words(value: object) -> str:
    """An option in words that are the same on every run: no addresses, no long arrays."""
    if isinstance(value, tuple | list):
        return f"({', '.join(map(_in_words, value))})"
    if isinstance(value, int | float | str | None):
        return repr(value)
    return str(getattr(value, "__name__", type(value).__name__))


def class_of(method: object) -> type | None:
    """The class that a method is, or that a `functools.partial` instantiates; None for anything else."""
    if isinstance(method, functools.partial):
        method = method.func
    return method if isinstance(method, type) else None


def parameters_of(function: Any) -> dict[str, inspect.Parameter]:
    """Parameters of a function or constructor; none if they are unknown (of built-ins)."""
    try:
        return dict(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return {}


def preset(method: object, name: str) -> Any:
    """What a `functools.partial` was given for a parameter; None otherwise."""
    return method.keywords.get(name) if isinstance(method, functools.partial) else None
