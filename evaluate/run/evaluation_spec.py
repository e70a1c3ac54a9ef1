"""Settings of an evaluation, validated where they are made."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, get_args

from stackwalls.evaluate.classes import Match
from stackwalls.evaluate.engine.engine import Precision
from stackwalls.evaluate.methods import ALIASES
from stackwalls.hub_cards import Resizing
from stackwalls.model import InputError, check_seed

Target = Literal["predicted", "label"]
"""The class that is explained: the predicted one, or the label."""

Backend = Literal["auto", "grad-cam"]


@dataclass(frozen=True)
class EvaluationSpec:
    """What is computed, apart from the network and the data.

    Attributes:
        methods: names of the methods, in the order of the table; `evaluate` fills them in.
        target: the class that is explained: the predicted one, or the image's label; the predicted one too where the
            label is not among the network's classes.
        match: "name" finds the classes of the datasets among the network's by their names; "index" takes logit i for
            class i, whatever the names.
        batch_size: the most images per forward pass, up to 32, the default. The results do not depend on it beyond
            rounding.
        limit: the most images of each dataset, its first ones; None: all.
        limits: method → the most images for that method (ScoreCAM and AblationCAM take long).
        seed: of the certificate's noise and of methods that draw random numbers.
        backend: "auto" uses the engine for the methods that it supports, which is faster and equal to 1e-4, and the
            grad-cam package for the others; "grad-cam" uses that package for all.
        precision: of ScoreCAM's masked passes in the engine, and of nothing else: "exact" is float32; "tf32x3" makes
            each float32 product of three TF32 ones; "fast" is 16 bits. On a device without such arithmetic it is
            "exact"; the report says which it was.
        memory: budget for activations, in bytes or as text such as "4GB"; None: the device's usual batch sizes. The
            results do not depend on it beyond rounding.
        transform: of images that are not of a finished set: "resize-crop" puts each through the network's transform, as
            the paper's code does with every file of both sets (shorter side to 256, central 224 × 224); "as-is" takes
            those of the network's size only; "auto" takes these as they are, and resizes and crops the others. The
            report says which it was.

    Raises:
        InputError: if a value is out of range, or a limit is for none of the methods.
    """

    methods: tuple[str, ...] = ()
    target: Target = "predicted"
    batch_size: int | None = None
    limit: int | None = None
    limits: Mapping[str, int] = field(default_factory=dict)
    seed: int = 0
    backend: Backend = "auto"
    precision: Precision = "exact"
    memory: int | str | None = None
    transform: Resizing = "auto"
    match: Match = "name"

    def __post_init__(self) -> None:
        choices: dict[str, Any] = {"target": Target, "backend": Backend, "precision": Precision}
        choices |= {"transform": Resizing, "match": Match}
        for name, allowed in ((name, get_args(kind)) for name, kind in choices.items()):
            if (value := getattr(self, name)) not in allowed:
                raise InputError(f"Expected `{name}` to be {' or '.join(map(repr, allowed))}, but got {value!r}.")
        if self.precision != "exact" and self.backend == "grad-cam":
            raise InputError(f"The precision {self.precision!r} is the engine's: leave out the backend 'grad-cam'.")
        check_seed(self.seed)
        if isinstance(self.memory, str):
            object.__setattr__(self, "memory", parse_bytes(self.memory))
        for name in ("batch_size", "limit", "memory"):
            if (value := getattr(self, name)) is not None:
                _at_least_one(name, value)
        limits = {ALIASES.get(name, name): count for name, count in (self.limits or {}).items()}
        for name, count in limits.items():
            _at_least_one(f"limits[{name!r}]", count)
            if self.methods and name not in self.methods:
                methods = ", ".join(self.methods)
                raise InputError(f"There is a limit for {name}, which is not among the methods: {methods}.")
        object.__setattr__(self, "limits", limits)

    @classmethod
    def of(cls, spec: EvaluationSpec | None, settings: Mapping[str, Any]) -> EvaluationSpec:
        """The spec, or one that is made of its attributes given as keyword arguments.

        Raises:
            InputError: if both are given, or a keyword is not an attribute.
        """
        known = [attribute.name for attribute in fields(cls) if attribute.name != "methods"]
        if unknown := [name for name in settings if name not in known]:
            raise InputError(f"Unknown setting {unknown[0]!r}: expected one of {', '.join(known)}.")
        if spec is not None and settings:
            raise InputError(f"Expected `spec` or settings, but got both: put {', '.join(settings)} into `spec`.")
        return cls(**settings) if spec is None else spec

    def images_for(self, method: str, available: int) -> int:
        """How many of a dataset's `available` images this method gets."""
        caps = (available, self.limit, self.limits.get(method))
        return min(cap for cap in caps if cap is not None)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self) | {"methods": list(self.methods), "limits": dict(self.limits)}


def parse_limits(option: str, values: list[str] | None) -> tuple[list[str], dict[str, int]]:
    """Split `["ROAD=10", "Deletion"]` of `--option` into names, and the numbers of images that some have.

    Raises:
        InputError: if what follows an equals sign is not a number of at least 1, or a name is given twice.
    """
    names: list[str] = []
    limits: dict[str, int] = {}
    for value in values or []:
        name, equals, count = value.partition("=")
        if equals and not re.fullmatch(r"0*[1-9]\d{0,8}", count):
            raise InputError(
                f"Cannot read --{option} {value!r:.60}: expected a {option}, or {option.upper()}=N for N images."
            )
        if name in names:
            raise InputError(
                f"--{option} {name} is given twice: name it once, with its number of images if it has one."
            )
        names.append(name)
        if equals:
            limits[name] = int(count)
    return names, limits


def parse_bytes(text: str) -> int:
    """Read `4GB` or `4G` (10⁹ bytes each), `4GiB` (2³⁰), `512MB` or a number of bytes.

    Raises:
        InputError: if it is something else, or zero.
    """
    match = re.fullmatch(r"(\d{1,20}(?:\.\d+)?)\s*(?:([kmgt])(i?b)?)?", text.strip().lower())
    base = 1024 if match and match[3] == "ib" else 1000
    size = int(float(match[1]) * base ** " kmgt".index(match[2] or " ")) if match else 0
    if size < 1:
        raise InputError(
            f"Cannot read the amount of memory {text!r:.40}: expected a number of bytes, or one with a unit, such as "
            "512MB, 4GB or 4GiB."
        )
    return size


def _at_least_one(name: str, value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise InputError(f"Expected `{name}` to be a whole number of at least 1, but got {value!r}.")
