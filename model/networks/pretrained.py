"""`save_pretrained`, `from_pretrained` and `push_to_hub` by the Hub's own mixin: safetensors and config.json only."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import torch
from huggingface_hub import ModelCard, ModelHubMixin
from safetensors import SafetensorError

from stackwalls.model.errors import InputError, RunError
from stackwalls.model.files import file_sha256
from stackwalls.model.networks.pretrained_files import (
    CONFIG_FORMAT,
    CONFIG_NAME,
    WEIGHTS_NAME,
    PretrainedFiles,
    find_pretrained,
)
from stackwalls.model.networks.weights import write_safetensors
from stackwalls.model.wall import Wall

_SHORT_CARD = """\
---
library_name: stackwalls
pipeline_tag: image-classification
tags: [explainability, saliency, class-activation-map, stackwalls]
---

# {name}

A classifier of 224 x 224 images for checking saliency maps: {wall}. Why: {derivation}.

```python
from stackwalls.model import load_model

model = load_model("user/name")  # this repository, or a folder
```

`stackgen certify` proves on this very network what is said above. Written by `save_pretrained`; a folder that
`hub_cards.save_model_folder` writes has the long card, with its results.
"""


class Pretrained(ModelHubMixin):
    """A network that is saved as a folder and published on the Hub, by huggingface_hub's mixin.

    The folder holds `config.json`, which says what network it is, and, where the network has weights of its own,
    `model.safetensors`. Nothing in it is ever executed.
    """

    def __new__(cls, *_args: Any, **_kwargs: Any) -> Self:
        """Without the mixin's record of the constructor's arguments, which would copy whole backbones."""
        return object.__new__(cls)

    @abstractmethod
    def pretrained_config(self) -> dict[str, Any]:
        """What config.json says of this network, beside the weights' SHA-256 (see `CONFIG_KEYS`)."""

    @abstractmethod
    def own_weights(self) -> Mapping[str, torch.Tensor] | None:
        """The tensors that go into model.safetensors; None where the configuration names them."""

    @classmethod
    @abstractmethod
    def restored(cls, config: Mapping[str, Any], files: PretrainedFiles) -> Self:
        """The network that a config.json describes, ready for inference."""

    def _save_pretrained(self, save_directory: Path) -> None:
        """The weights, then config.json; each appears whole.

        Raises:
            RunError: if the disk refuses.
        """
        config = {"format": CONFIG_FORMAT, "architecture": type(self).__name__, **self.pretrained_config()}
        temporary = save_directory / f".{WEIGHTS_NAME}.tmp"
        try:
            if (weights := self.own_weights()) is not None:
                write_safetensors(weights, temporary)
                config["weights_sha256"] = file_sha256(temporary)
                temporary.replace(save_directory / WEIGHTS_NAME)
            text = json.dumps(config, indent=2, sort_keys=True, allow_nan=False) + "\n"
            temporary.write_text(text, encoding="utf-8")
            temporary.replace(save_directory / CONFIG_NAME)
        except (OSError, SafetensorError) as error:
            raise RunError(f"Cannot write the network to {save_directory}: {error}") from error
        finally:
            temporary.unlink(missing_ok=True)

    @classmethod
    def from_pretrained(
        cls,
        pretrained_model_name_or_path: str | Path,
        *,
        force_download: bool = False,
        token: str | bool | None = None,
        cache_dir: str | Path | None = None,
        local_files_only: bool = False,
        revision: str | None = None,
        **model_kwargs: Any,
    ) -> Self:
        """The network in a folder or in a repository on the Hub, `user/name[@revision]`, in evaluation mode.

        Raises:
            InputError: if there is none, it is of another architecture, or its files are not what its config.json
                says; or if constructor's arguments are given (config.json has them).
            RunError: if the Hub cannot be reached.
        """
        if model_kwargs:
            raise InputError(f"{CONFIG_NAME} says what network it is: leave out {', '.join(sorted(model_kwargs))}.")
        files = find_pretrained(
            pretrained_model_name_or_path,
            revision,
            force_download=force_download,
            token=token,
            cache_dir=cache_dir,
            local_files_only=local_files_only,
        )
        config = files.config()
        if config["architecture"] != cls.__name__:
            raise InputError(
                f"{files.name} holds a {config['architecture']}, not a {cls.__name__}: use "
                f"{config['architecture']}.from_pretrained, or load_model, which reads either."
            )
        return cls.restored(config, files)

    def generate_model_card(self, *_args: Any, **_kwargs: Any) -> ModelCard:
        """A short card without blanks, for a folder that has none; `hub_cards` writes the long one."""
        wall: Wall | None = getattr(self, "wall", None)
        dead = f"it does not see the dead zone {wall}" if wall else "it sees the whole image (a baseline)"
        name, derivation = getattr(self, "name", type(self).__name__), self.derivation()
        return ModelCard(_SHORT_CARD.format(name=name, wall=dead, derivation=derivation))

    @abstractmethod
    def derivation(self) -> str:
        """Why the dead zone is dead, in one sentence."""


def check_wall(found: Wall | None, config: Mapping[str, Any], files: PretrainedFiles) -> None:
    """The wall that config.json names must be the one that follows from the layers.

    Raises:
        InputError: if it is another.
    """
    derived = str(found) if found else None
    if config["wall"] != derived:
        raise InputError(
            f"{CONFIG_NAME} of {files.name} names the wall {config['wall']!r}, but the layers give {derived!r}."
        )
