"""State dicts in the files that people have: safetensors, and what training scripts save. No pickle is executed."""

from __future__ import annotations

import warnings
from argparse import Namespace
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch

from stackwalls.model.errors import InputError
from stackwalls.model.files import regular_file
from stackwalls.model.networks.files.weights import read_safetensors

_DEEPEST = 3
"""Levels of dictionaries in which a state dict is looked for."""


class _Found(NamedTuple):
    """A state dict in a file: the keys that lead to it, what stands in front of each name, and how many names fit."""

    path: tuple[str, ...]
    prefix: str
    fitting: int

    @property
    def is_average(self) -> bool:
        """Whether it is an exponential moving average of the weights, by its name."""
        return "ema" in "/".join([*self.path, self.prefix]).lower().replace("_", "/").replace(".", "/").split("/")

    def __str__(self) -> str:
        return "/".join([*self.path, *([f"{self.prefix}*"] if self.prefix else [])]) or "the tensors at the top"


def read_state_dict(path: str | Path, names: Collection[str]) -> dict[str, torch.Tensor]:
    """The tensors of a network in a weights file, under the network's own names.

    Understood are a plain state dict, one inside a dictionary (`state_dict`, `model`, …), and prefixes such as
    `module.`, `model.` and `_orig_mod.`: the place where most names fit counts. Where the moving average (EMA) of the
    weights is there as well, it is taken, and that is said. 16-bit floats become 32-bit, and that is said too.

    Args:
        path: `.safetensors`, or what `torch.save` wrote, which is read with `weights_only=True`.
        names: the tensors' names in the network; others under the same prefix come too.

    Raises:
        InputError: if the file is missing or damaged, holds Python objects or no state dict, or several that fit.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"There is no weights file {path}: name an existing file.")
    content = read_safetensors(path) if path.suffix == ".safetensors" else _unpickled(path)
    states = dict(_state_dicts(content))
    if not states:
        if isinstance(content, Mapping) and (odd := [key for key in content if not isinstance(key, str)]):
            raise InputError(f"Expected the tensors in {path} to have names, but got keys such as {odd[0]!r:.80}.")
        raise InputError(f"Expected {path} to hold a state dict of tensors, but it holds {type(content).__name__}.")
    found = _best(path, states, names)
    state = {
        key.removeprefix(found.prefix): tensor
        for key, tensor in states[found.path].items()
        if key.startswith(found.prefix)
    }
    return _as_float32(path, state)


def _unpickled(path: Path) -> Any:
    try:
        with torch.serialization.safe_globals([Namespace]):  # timm's checkpoints hold their options
            return torch.load(regular_file(path), map_location="cpu", weights_only=True)
    except Exception as error:  # the unpickler raises errors of any kind on other files
        raise InputError(
            f"{path} does not load as a state dict of plain tensors: it is damaged, of another format, or holds Python "
            "objects, which are never executed. Save the network's state_dict() alone, by torch.save or as safetensors."
        ) from error


def _state_dicts(content: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], dict[str, torch.Tensor]]]:
    """The dictionaries of named tensors in what a training script saved, with the keys that lead to them."""
    if not isinstance(content, Mapping) or not all(isinstance(key, str) for key in content):
        return
    if tensors := {key: value for key, value in content.items() if isinstance(value, torch.Tensor)}:
        yield path, tensors
    if len(path) < _DEEPEST:
        for key, value in content.items():
            yield from _state_dicts(value, (*path, key))


def _best(path: Path, states: Mapping[tuple[str, ...], Mapping[str, torch.Tensor]], names: Collection[str]) -> _Found:
    """Where most of a network's names are found; of equal places, the moving average."""
    found = [
        _Found(place, prefix, sum(f"{prefix}{name}" in state for name in names))
        for place, state in states.items()
        for prefix in _prefixes(state, names)
    ]
    most = max(each.fitting for each in found)
    # few names in common, of which a VGG16 has three spellings: another network's; the message names what is there
    if 4 * most < len(names):
        return _Found(max(states, key=lambda place: len(states[place])), "", 0)
    fitting = [each for each in found if each.fitting == most]
    averages = [each for each in fitting if each.is_average]
    if averages and len(averages) < len(fitting):
        warnings.warn(f"{path} holds the weights and their moving average: {averages[0]} is used.", stacklevel=4)
    chosen = averages or fitting
    if len(chosen) > 1:
        raise InputError(
            f"{path} holds several state dicts that fit ({' and '.join(map(str, chosen[:4]))}): save the one you mean "
            "in a file of its own."
        )
    return chosen[0]


def _prefixes(state: Mapping[str, torch.Tensor], names: Collection[str]) -> set[str]:
    """What may stand in front of the network's names; "" among them."""
    known = set(names)
    ends = {key[: len(key) - len(rest)] for key in state for rest in _tails(key) if rest in known}
    return {"", *ends}


def _tails(key: str) -> Iterator[str]:
    """`a.b.c`, `b.c`, `c`."""
    parts = key.split(".")
    return (".".join(parts[start:]) for start in range(len(parts)))


def _as_float32(path: Path, state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    kinds = {tensor.dtype for tensor in state.values() if tensor.is_floating_point()} - {torch.float32}
    if kinds:
        named = " and ".join(sorted(str(kind).removeprefix("torch.") for kind in kinds))
        warnings.warn(f"The weights in {path} are {named}; the network computes in float32.", stacklevel=4)
    return {key: tensor.float() if tensor.is_floating_point() else tensor for key, tensor in state.items()}
