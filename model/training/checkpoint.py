"""The whole state of a training in one file, from which it resumes as if never stopped; when to write it."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from stackwalls.model.documents import COUNT, NUMBER, OBJECT, check_schema, checked, each, keys, nullable
from stackwalls.model.errors import InputError, RunError
from stackwalls.model.files import regular_file, whole_file
from stackwalls.model.runtime.device import is_out_of_memory

FORMAT = 1

_BEST = keys({"step": COUNT, "top1": NUMBER}) | each(NUMBER, "object")
_PROGRESS = {
    "step": COUNT,
    "pending": each(NUMBER),
    "epoch_loss": NUMBER,
    "epoch_steps": COUNT,
    "best": nullable(_BEST),
}
_SCHEMA = keys(
    {"described": OBJECT, "step": COUNT, "model": OBJECT, "optimizer": OBJECT, "random": each(OBJECT)}
    | {"scaler": nullable(OBJECT), "progress": keys({}, _PROGRESS, closed=True)},
    closed=True,
)

_QUICK = 1.0
"""Seconds; a checkpoint that takes less is written after every epoch."""

_SHARE = 20
"""A slower one is written only if the training since the last took this many times as long: at most 5 % of the time."""


@dataclass
class Checkpoint:
    """Everything that determines the next step.

    Attributes:
        described: spec and data as JSON values; only the same training may resume.
        step: optimizer steps done; the images, the crops, the dropout and the learning rate follow from it and the
            seed.
        model: state dict, as `optimizer` and `scaler` (the loss scaler; fp16 only) are.
        random: the states of Python's, NumPy's, torch's and CUDA's generators, of each process.
        progress: the fields of `Progress`.
    """

    described: dict[str, Any]
    step: int
    model: dict[str, Any]
    optimizer: dict[str, Any]
    scaler: dict[str, Any] | None = None
    random: list[dict[str, Any]] = field(default_factory=list)
    progress: dict[str, Any] = field(default_factory=dict)

    def write(self, path: Path) -> None:
        """Write the file as a whole.

        Raises:
            RunError: if the disk is full or fails; the previous checkpoint is kept.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with whole_file(path) as file:
                torch.save({"format": FORMAT, **vars(self)}, file)
        except (OSError, RuntimeError) as error:  # torch.save reports a full disk as a RuntimeError
            raise RunError(
                f"Cannot write the checkpoint {path} ({error}). The previous checkpoint is intact: free some space, "
                "then resume the training."
            ) from error

    @classmethod
    def read(cls, path: Path) -> Checkpoint:
        """Read what `write` wrote; no pickled object is executed.

        Raises:
            InputError: if the file is not a checkpoint, or another version of this package wrote it.
        """
        try:
            content = torch.load(regular_file(path), map_location="cpu", weights_only=True)
            version = content.pop("format")
            if version == FORMAT:
                checked(content["described"], OBJECT)
                check_schema(content, _SCHEMA)
                return cls(**content)
        except Exception as error:  # the unpickler raises errors of any kind on other files
            raise InputError(
                f"{path} is not a checkpoint, or it is damaged ({_reason(error)}). Remove it to start over."
            ) from error
        raise InputError(f"{path} was written by another version of stackwalls. Train in another folder.")

    def restore(
        self, path: Path, load_model: Callable[[dict[str, Any]], None], optimizer: Any, accelerator: Any
    ) -> None:
        """Put network, optimizer, loss scaler and generators into the stored state; `accelerator` prepared them.

        Raises:
            InputError: if they do not take it, naming the file `path`.
        """
        try:
            load_model(self.model)
            _restore_optimizer(optimizer, self.optimizer, self.step)
            if accelerator.scaler is not None and self.scaler is not None:
                accelerator.scaler.load_state_dict(self.scaler)
            if len(self.random) == accelerator.num_processes:
                set_random_states(self.random[accelerator.process_index])
        except Exception as error:  # networks, optimizers and generators refuse a state in many ways
            if is_out_of_memory(error):
                raise
            raise InputError(
                f"{path} does not hold the state of this training ({_reason(error)}): it is damaged. Remove it to "
                "start over."
            ) from error

    def check_same(self, wanted: dict[str, Any], path: Path) -> None:
        """Check that this is a checkpoint of the training described by `wanted`.

        Raises:
            InputError: naming the first values that differ.
        """
        before, now = _flat(self.described), _flat(wanted)
        different = [key for key in {**before, **now} if before.get(key) != now.get(key)]
        if different:
            pairs = ((key, before.get(key, "absent"), now.get(key, "absent")) for key in different[:3])
            shown = "; ".join(f"{key} was {old!s:.60}, now {new!s:.60}" for key, old, new in pairs)
            more = f" and {len(different) - 3} more" if len(different) > 3 else ""
            raise InputError(
                f"{path} is a checkpoint of another training ({shown}{more}). Use the same values, or another folder."
            )


def _restore_optimizer(optimizer: Any, state: dict[str, Any], step: int) -> None:
    """Restore an optimizer's averages, which torch takes over unchecked; its settings follow from the training.

    Raises:
        ValueError: if the state is that of another optimizer, or of other parameters.
    """
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state["state"], "param_groups": groups})
    own = getattr(optimizer, "optimizer", optimizer)  # accelerate wraps it
    probe = torch.zeros(1, device=own.param_groups[0]["params"][0].device, requires_grad=True)
    probe.grad = torch.zeros_like(probe)
    twin = type(own)([probe])  # one step shows what an optimizer with these settings keeps
    twin.param_groups[0].update(own.defaults)
    twin.step()
    if step and twin.state[probe] and not own.state:
        raise ValueError(f"its {type(own).__name__} has no averages")
    for parameter, values in own.state.items():
        shapes = [value.shape for value in values.values()]
        if set(values) != set(twin.state[probe]) or any(shape not in (parameter.shape, ()) for shape in shapes):
            raise ValueError(f"its {type(own).__name__} has other averages than this network's")


def _reason(error: Exception) -> str:
    said = getattr(error, "strerror", None) or (str(error).splitlines() or [type(error).__name__])[0]
    return f"{said:.200}".rstrip(".:")


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in values.items():
        found |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return found


class SaveTimes:
    """When the last checkpoint was written, and how long that took."""

    def __init__(self) -> None:
        self._ended, self._took = time.monotonic(), 0.0

    def due(self, minutes: float, epoch: bool) -> bool:
        """Whether it is time for the next one: after so many minutes, or when an epoch has just ended."""
        since = time.monotonic() - self._ended
        return since > 60 * minutes or (epoch and (self._took < _QUICK or since >= _SHARE * self._took))

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Wrap the writing of a checkpoint."""
        started = time.monotonic()
        yield
        self._ended = time.monotonic()
        self._took = self._ended - started


def random_states() -> dict[str, Any]:
    """The states of this process's global generators, as values that `Checkpoint.read` accepts."""
    kind, keys, position, has_gauss, gauss = np.random.get_state(legacy=True)  # noqa: NPY002 - what users' code draws from
    states: dict[str, Any] = {
        "python": random.getstate(),
        "numpy": [kind, torch.from_numpy(np.asarray(keys).astype(np.int64)), position, has_gauss, gauss],
        "torch": torch.get_rng_state(),
    }
    if torch.cuda.is_available():
        states["cuda"] = torch.cuda.get_rng_state()
    return states


def set_random_states(states: dict[str, Any]) -> None:
    """Restore what `random_states` returned."""
    version, internal, gauss_next = states["python"]
    random.setstate((version, tuple(internal), gauss_next))
    kind, keys, position, has_gauss, gauss = states["numpy"]
    np.random.set_state((kind, keys.numpy().astype(np.uint32), position, has_gauss, gauss))  # noqa: NPY002
    torch.set_rng_state(states["torch"])
    if "cuda" in states and torch.cuda.is_available():
        torch.cuda.set_rng_state(states["cuda"])
