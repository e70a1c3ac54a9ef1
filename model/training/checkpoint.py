"""A training's whole state in one file, so that it goes on as if it had not been stopped."""

from __future__ import annotations

import os
import pickle
import random
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch

from stackwalls.model.errors import InputError, RunError

FORMAT = 1


@dataclass
class Checkpoint:
    """Everything that the next step follows from.

    Attributes:
        described: spec and data as JSON values; a checkpoint goes on only with the same.
        step: optimiser steps done; the order of the pictures, the crops, the dropout and the learning rate follow
            from it and the seed.
        model: the network's state dict.
        optimizer: the optimiser's.
        scaler: the loss scaler's (fp16 only).
        random: of each process, the states of Python's, NumPy's, torch's and CUDA's generators.
        progress: counts and sums between two lines of the history, and the best validation.
    """

    described: dict[str, Any]
    step: int
    model: dict[str, Any]
    optimizer: dict[str, Any]
    scaler: dict[str, Any] | None = None
    random: list[dict[str, Any]] = field(default_factory=list)
    progress: dict[str, Any] = field(default_factory=dict)

    def write(self, path: Path) -> None:
        """Write it whole: under a temporary name, put on the disk, then renamed.

        Raises:
            RunError: if the disk refuses; the checkpoint that was there stays.
        """
        temporary = path.with_name(f".{path.name}.tmp")
        content = {"format": FORMAT, **{entry.name: getattr(self, entry.name) for entry in fields(self)}}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with temporary.open("wb") as file:
                torch.save(content, file)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except (OSError, RuntimeError) as error:  # torch.save reports a full disk as a RuntimeError
            raise RunError(
                f"Cannot write the checkpoint {path} ({error}); the one before it is untouched. Make room, then go on "
                "with --resume."
            ) from error
        finally:
            temporary.unlink(missing_ok=True)

    @classmethod
    def read(cls, path: Path) -> Checkpoint:
        """Read what `write` wrote; no pickled object is executed.

        Raises:
            InputError: if the file is no checkpoint, or of another version of this package.
        """
        try:
            content = torch.load(path, map_location="cpu", weights_only=True)
            if content.pop("format") != FORMAT:
                raise InputError(f"{path} was written by another version of stackwalls: train anew in another folder.")
            return cls(**content)
        except (pickle.UnpicklingError, RuntimeError, EOFError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{path} is no checkpoint of a training, or damaged: remove it to begin anew.") from error


def check_same(path: Path, found: dict[str, Any], wanted: dict[str, Any]) -> None:
    """Refuse a checkpoint of another recipe, other data, or another seed.

    Raises:
        InputError: naming the first values that differ.
    """
    before, now = _flat(found), _flat(wanted)
    different = [key for key in {**before, **now} if before.get(key) != now.get(key)]
    if different:
        shown = "; ".join(
            f"{key} was {before.get(key, 'absent')!s:.60}, now {now.get(key, 'absent')!s:.60}" for key in different[:3]
        )
        more = f" and {len(different) - 3} more" if len(different) > 3 else ""
        raise InputError(
            f"{path} is a checkpoint of another training ({shown}{more}): go on with the same values, or train in "
            "another folder."
        )


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            found |= _flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found


def random_states() -> dict[str, Any]:
    """The global generators of this process, as values that `Checkpoint.read` accepts."""
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
    """Put back what `random_states` gave."""
    version, internal, gauss_next = states["python"]
    random.setstate((version, tuple(internal), gauss_next))
    kind, keys, position, has_gauss, gauss = states["numpy"]
    np.random.set_state((kind, keys.numpy().astype(np.uint32), position, has_gauss, gauss))  # noqa: NPY002
    torch.set_rng_state(states["torch"])
    if "cuda" in states and torch.cuda.is_available():
        torch.cuda.set_rng_state(states["cuda"])
