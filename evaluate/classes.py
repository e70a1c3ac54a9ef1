"""Which classes a network's logits stand for, which of them a dataset's classes are, and what both are called."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from stackwalls.hub_cards import StackDataset
from stackwalls.model import InputError, LabelSpace, class_names
from stackwalls.model.images.label_space import read_label_space
from stackwalls.model.images.labels import classes_of_names, normalized
from stackwalls.model.networks.backbones.inputs_and_classes import logit_names

Match = Literal["name", "index"]
"""How the classes of datasets are found among a network's logits."""

IMAGENET = "imagenet-1k"
"""In run.json, the classes of a network whose logits stand for ImageNet-1k's, or for some of them."""


@dataclass(frozen=True)
class LogitClasses:
    """What a network's logits stand for.

    Attributes:
        names: the class of each logit; None if they are not known.
        indices: the ImageNet-1k index of each logit, if all are classes of ImageNet; the rows' numbers are these.
    """

    names: tuple[str, ...] | None = None
    indices: tuple[int, ...] | None = None

    @classmethod
    def of(cls, network: nn.Module, name: str, given: Sequence[str] | str | Path | None = None) -> LogitClasses:
        """From the call (names or a file of them), else the network's `class_indices`, `class_names` or `config`.

        `config.id2label` is transformers' list of names, which counts unless they are its LABEL_0, LABEL_1, …

        Raises:
            InputError: if a list is not one different name (or ImageNet-1k index) for each logit.
        """
        if isinstance(given, str | Path):
            return cls.of_names(read_label_space(given).names, f"in {given}")
        if given is not None:
            return cls.of_names(given, "given")
        if (indices := getattr(network, "class_indices", None)) is not None:
            indices = _class_indices(name, indices)
            return cls(tuple(class_names()[index] for index in indices), indices)
        for names in (getattr(network, "class_names", None), _id2label(network)):
            if names is not None:
                return cls.of_names(names, f"of {name}")
        return cls()

    @classmethod
    def of_names(cls, given: Any, where: str) -> LogitClasses:
        """From a list of names, in the order of the logits; `where` says whose, in errors."""
        try:
            names = () if isinstance(given, str | Mapping) else tuple(given)
        except TypeError:
            names = ()
        if not names or not all(isinstance(name, str) for name in names):
            raise InputError(f"Expected the class names {where} to be a list of texts, but got {given!r:.60}.")
        found = _imagenet_indices(names)
        indices = tuple(index for index in found if index is not None)
        if len(set(indices)) == len(names):
            return cls(tuple(class_names()[index] for index in indices), indices)
        try:
            return cls(LabelSpace(names).names)
        except InputError as error:
            raise InputError(f"The class names {where} cannot be used: {error}") from error

    def checked(self, network: str, logits: int) -> LogitClasses:
        """The same, known to be ImageNet's if nothing was known of 1000 logits.

        Raises:
            InputError: if there is another number of names than logits.
        """
        if self.names is None:
            return LogitClasses(class_names(), tuple(range(logits))) if logits == len(class_names()) else self
        if len(self.names) != logits:
            raise InputError(
                f"{network} has {logits} logits, but {len(self.names)} class names (`class_names`, `class_indices`): "
                "expected one for each logit."
            )
        return self

    def number(self, logit: int) -> int:
        """The number of a logit's class in the rows: its ImageNet-1k index, else the logit's; negative ones stay."""
        return logit if self.indices is None or logit < 0 else self.indices[logit]

    def name(self, logit: int) -> str:
        """The name of a logit's class, or `class 3`."""
        return _name(self.names or (), logit)

    def to_json(self) -> str | list[str] | None:
        """For run.json: the names, `IMAGENET`, or null where they are not known."""
        return None if self.names is None else IMAGENET if self.indices is not None else list(self.names)


@dataclass(frozen=True)
class Matching:
    """The logit of each class of one dataset; None where it has none, or that is not known."""

    logits: tuple[int | None, ...]

    @classmethod
    def of(cls, match: Match, dataset: StackDataset, logits: int, classes: LogitClasses, network: str) -> Matching:
        """`by_name` or `by_index`, for a dataset and a network with so many logits."""
        if match == "index":
            return cls.by_index(dataset.classes, logits, dataset.name, network)
        return cls.by_name(dataset.classes, logits, classes)

    @classmethod
    def by_index(cls, space: LabelSpace, logits: int, dataset: str, network: str) -> Matching:
        """Logit i for class i, whatever the names.

        Raises:
            InputError: if there are not as many logits as classes.
        """
        if len(space) != logits:
            raise InputError(
                f"{dataset} has {len(space)} classes, and {network} {logits} logits: expected as many of each to match "
                "them by index (--match-by-index); leave that out to match them by name."
            )
        return cls(tuple(range(logits)))

    @classmethod
    def by_name(cls, space: LabelSpace, logits: int, classes: LogitClasses) -> Matching:
        """The logits that are called as the classes of a dataset, up to case, `_`, `-` and commas.

        If it is not known what the logits stand for (`LogitClasses.checked`), logit i is class i of ImageNet.
        """
        if classes.names is None:
            known = space.is_imagenet and logits < len(space)
            return cls(tuple(index if known and index < logits else None for index in range(len(space))))
        numbers = range(len(space)) if space.is_imagenet else _imagenet_indices(space.names)
        own = classes.indices or _imagenet_indices(classes.names)
        by_number: dict[int | None, int] = {index: logit for logit, index in enumerate(own) if index is not None}
        numbered = map(by_number.get, numbers)
        if classes.indices is not None:
            return cls(tuple(numbered))
        named = map(LabelSpace(classes.names).find, space.names)
        return cls(tuple(other if logit is None else logit for logit, other in zip(named, numbered, strict=True)))

    def logit_of(self, label: int) -> int | None:
        """The logit of a class; None if there is none."""
        return self.logits[label] if 0 <= label < len(self.logits) else None

    @property
    def identity(self) -> str:
        """SHA-256."""
        return hashlib.sha256(repr(self.logits).encode()).hexdigest()


@dataclass(frozen=True)
class ClassNames:
    """What the numbers in a dataset's rows are called: its labels, and the classes that a network predicts.

    `predictions` is None where it is not known what the logits stand for.
    """

    labels: Sequence[str]
    predictions: Sequence[str] | None

    @classmethod
    def of(cls, run: Mapping[str, Any], dataset: Mapping[str, Any]) -> ClassNames:
        """Of one of the datasets of a run.json."""
        labels = dataset.get("class_names") or class_names()
        predictions = run.get("network_classes", IMAGENET)
        if predictions is None:  # as the labels, if they are matched by index, or may well be ImageNet's
            own = "class_names" in dataset or dataset.get("unmatched_labels")
            return cls(labels, labels if run["spec"].get("match") == "index" or not own else None)
        return cls(labels, class_names() if isinstance(predictions, str) else predictions)

    def known(self, label: int, prediction: int) -> bool:
        """Whether these can be numbers of classes, or -1."""
        labels, most = len(self.labels), None if self.predictions is None else len(self.predictions)
        return -1 <= label < labels and prediction >= -1 and (most is None or prediction < most)

    def label(self, index: int) -> str:
        """The name of a label; "" for none."""
        return "" if index < 0 else _name(self.labels, index)

    def prediction(self, number: int) -> str:
        """The name of a predicted class, or `class 3`."""
        return "no class" if number < 0 else _name(self.predictions or (), number)

    def caption(self, label: int, prediction: int) -> str:
        """The label's name, and the prediction's if it is another; -1 for no label."""
        name, other = self.label(label), self.prediction(prediction)
        shown, other_shown = (text if len(text) <= 24 else text[:23] + "…" for text in (name, other))
        if not name:
            return f"seen as {other_shown}"
        return shown if normalized(name) == normalized(other) else f"{shown},\nseen as {other_shown}"


IMAGENET_NAMES = ClassNames(class_names(), class_names())
"""Of an ImageNet set and an ImageNet network."""


def _name(names: Sequence[str], index: int) -> str:
    return names[index] if 0 <= index < len(names) else f"class {index}"


def _imagenet_indices(names: tuple[str, ...]) -> tuple[int | None, ...]:
    """The ImageNet-1k index of each name, or None; a number is no name."""
    found = zip(names, classes_of_names(names), strict=True)
    return tuple(None if name.strip().isdecimal() else index for name, index in found)


def _id2label(network: nn.Module) -> tuple[str, ...] | None:
    """The names in the configuration of a transformers network, if they are there and mean something."""
    given = getattr(getattr(network, "config", None), "id2label", None)
    try:
        names = {int(key): str(value) for key, value in given.items()}  # type: ignore[union-attr]
    except (AttributeError, TypeError, ValueError):
        return None
    return logit_names([names[key] for key in sorted(names)]) if names.keys() == set(range(len(names))) else None


def _class_indices(name: str, given: object) -> tuple[int, ...]:
    """From a sequence, an array or a tensor."""
    found = np.asarray(given.detach().cpu() if isinstance(given, torch.Tensor) else given, dtype=object)
    classes = [each.item() if isinstance(each, torch.Tensor | np.generic) else each for each in found.reshape(-1)]
    most = len(class_names())
    wrong = [each for each in classes if type(each) is not int or not 0 <= each < most]
    if wrong or found.ndim != 1 or len(set(classes)) < len(classes):
        twice = [each for each, times in Counter(map(repr, classes)).items() if times > 1]
        got = f"{wrong[0]!r:.60}" if wrong else f"{twice[0]} twice" if twice else f"{given!r:.60}"
        raise InputError(
            f"Expected `class_indices` of {name} to be the ImageNet-1k index of each logit, different whole numbers "
            f"from 0 to {most - 1}, but got {got}."
        )
    return tuple(map(int, classes))
