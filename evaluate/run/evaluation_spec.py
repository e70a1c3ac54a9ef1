"""What an evaluation was asked for, validated where it is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from stackwalls.evaluate.engine.engine import PRECISIONS, Precision
from stackwalls.evaluate.methods import ALIASES, METHODS
from stackwalls.model import InputError, check_seed

Target = Literal["predicted", "label"]

Backend = Literal["auto", "grad-cam"]


@dataclass(frozen=True)
class EvaluationSpec:
    """What is computed, apart from network and data.

    Attributes:
        methods: names of the methods, in the order of the table.
        target: the class that is explained: the predicted one, or the image's label.
        batch_size: images a forward pass, at most a block of them (see `blocks`); None: a block. The results do not
            depend on it beyond rounding.
        limit: the most images of each dataset, its first ones; None: all.
        limits: method → the most images for that method, for those that are slow.
        seed: of the certificate's noise and of methods that draw numbers.
        backend: "auto": the engine where it can, grad-cam for the rest; "grad-cam": that for all.
        precision: of the engine's masked passes for ScoreCAM; all else is float32. "exact": float32 too; "tf32x3":
            float32 products made of three TF32 ones; "fast": 16 bits.
        memory: bytes that may be used for images on their way through the network; None: what is free, less a margin.
            The results do not depend on it beyond rounding.

    Raises:
        InputError: if a value is out of range, or a limit is for none of the methods.
    """

    methods: tuple[str, ...] = tuple(METHODS)
    target: Target = "predicted"
    batch_size: int | None = None
    limit: int | None = None
    limits: Mapping[str, int] = field(default_factory=dict)
    seed: int = 0
    backend: Backend = "auto"
    precision: Precision = "exact"
    memory: int | None = None

    def __post_init__(self) -> None:
        if self.target not in ("predicted", "label"):
            raise InputError(f"Expected `target` to be 'predicted' or 'label', but got {self.target!r}.")
        if self.backend not in ("auto", "grad-cam"):
            raise InputError(f"Expected `backend` to be 'auto' or 'grad-cam', but got {self.backend!r}.")
        if self.precision not in PRECISIONS:
            raise InputError(f"Expected `precision` to be {', '.join(PRECISIONS)}, but got {self.precision!r}.")
        if self.precision != "exact" and self.backend == "grad-cam":
            raise InputError(f"The precision {self.precision!r} is the engine's: leave out the backend 'grad-cam'.")
        check_seed(self.seed)
        for name in ("batch_size", "limit", "memory"):
            if (value := getattr(self, name)) is not None:
                _at_least_one(name, value)
        limits = {ALIASES.get(name, name): count for name, count in self.limits.items()}
        for name, count in limits.items():
            _at_least_one(f"limits[{name!r}]", count)
            if name not in self.methods:
                raise InputError(
                    f"There is a limit for {name}, which is not among the methods: {', '.join(self.methods)}."
                )
        object.__setattr__(self, "limits", limits)

    def images_for(self, method: str, available: int) -> int:
        """How many of a dataset's `available` images this method gets."""
        caps = (available, self.limit, self.limits.get(method))
        return min(cap for cap in caps if cap is not None)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self) | {"methods": list(self.methods), "limits": dict(self.limits)}


def _at_least_one(name: str, value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise InputError(f"Expected `{name}` to be a whole number of at least 1, but got {value!r}.")
