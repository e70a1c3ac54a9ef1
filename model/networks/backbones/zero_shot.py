"""Zero-shot classifiers: the image tower of a CLIP or SigLIP of transformers, and a text for each class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from stackwalls.model.errors import InputError, StackwallsError, quotable, reason_of
from stackwalls.model.hub.failures import no_remote_code
from stackwalls.model.images.label_space import LabelSpace, read_label_space
from stackwalls.model.networks.backbones.backbone import Backbone, made
from stackwalls.model.networks.backbones.inputs_and_classes import InputsAndClasses
from stackwalls.model.networks.files.pretrained import PretrainedFiles

ZERO_SHOT = ("clip", "siglip")
"""`model_type` of transformers' models whose classes are texts."""

_TOKENIZER_FILES = (
    "tokenizer_config.json",
    "tokenizer.json",
    "vocab.json",
    "merges.txt",
    "spiece.model",
    "special_tokens_map.json",
)
_TEXTS_AT_ONCE = 64


class ClassTexts(tuple[str, ...]):
    """The names of classes, which stand for texts.

    Attributes:
        classes_as: the text of each class, with `{}` in the place of its name.

    Raises:
        InputError: if there is no `{}` in it, or a name is empty or there twice.
    """

    classes_as: str

    def __new__(cls, names: Sequence[str], classes_as: str) -> ClassTexts:
        """Check them."""
        if "{}" not in classes_as:
            raise InputError(
                "Expected `classes_as` (--classes-as) to have {} in the place of the class name, such as 'a photo of a "
                f"{{}}', but got {classes_as!r:.80}."
            )
        new = super().__new__(cls, LabelSpace(tuple(names)).names)
        new.classes_as = classes_as
        return new

    @property
    def texts(self) -> list[str]:
        """The text of each class."""
        return [self.classes_as.replace("{}", name) for name in self]


def class_texts(
    class_names: Sequence[str] | str | Path | None, classes_as: str | None, usual: Sequence[str] | None = None
) -> Sequence[str] | str | Path | None:
    """The class names as they are given, or as `ClassTexts` if there is a text for them.

    Args:
        class_names: names, or a file of them (see `read_label_space`).
        classes_as: the text of each class, with `{}` in the place of its name; None: they are only names.
        usual: names of the classes if `class_names` is None: those of the images.

    Raises:
        InputError: if there is no name to make texts of, or a name or the text is not valid.
    """
    if classes_as is None:
        return class_names
    names = read_label_space(class_names).names if isinstance(class_names, str | Path) else class_names
    if (names := usual if names is None else names) is None:
        raise InputError(
            "`classes_as` (--classes-as) makes a text of the name of each class: give the names too (`class_names=`, "
            "--class-names FILE)."
        )
    return ClassTexts(names, classes_as)


class ZeroShot(nn.Module):
    """The logits of a CLIP or SigLIP for fixed texts: scale · ⟨image, text⟩ + bias, of normalized embeddings.

    Attributes:
        texts: `(classes, d)` float32, normalized. Not trained, as is all that follows the tower's projection.
    """

    def __init__(self, model: Any, classes: int) -> None:
        super().__init__()
        self.tower = model.vision_model
        self.projection = getattr(model, "visual_projection", nn.Identity())  # SigLIP has none
        size = getattr(self.projection, "out_features", model.config.vision_config.hidden_size)
        self.texts = nn.Buffer(torch.zeros(classes, size))
        self.scale = nn.Buffer(model.logit_scale.detach().exp().reshape(()))
        self.bias = nn.Buffer(torch.as_tensor(getattr(model, "logit_bias", 0.0)).detach().float().reshape(()))

    def set_attn_implementation(self, name: str) -> None:
        """As of transformers' models."""
        self.tower.set_attn_implementation(name)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """`(N, 3, H, W)` normalized images to logits `(N, classes)`."""
        embedded = F.normalize(self.projection(self.tower(images).pooler_output), dim=-1)
        return self.scale * embedded @ self.texts.T + self.bias


def zero_shot(name: str, files: PretrainedFiles, model: Any, known: InputsAndClasses, texts: ClassTexts) -> Backbone:
    """A CLIP or SigLIP as a classifier of these classes; the tokenizer is in `files`.

    Raises:
        InputError: if there is no tokenizer, or a text is too long for the model.
        RunError: if the Hub cannot be reached.
    """
    network = ZeroShot(model, len(texts))
    network.texts.copy_(_embedded(files.name, model, _tokenizer(files), texts.texts))
    return made(name, network, known.with_names(texts), None, _blueprint(model, len(texts), texts.classes_as))


def zero_shot_of(blueprint: Mapping[str, Any]) -> Backbone:
    """The classifier that a blueprint of `zero_shot` describes, with random weights and empty texts.

    Raises:
        InputError: if transformers has no such model.
    """
    from transformers import AutoConfig, AutoModel

    try:
        config = AutoConfig.for_model(**blueprint["config"])
        model = AutoModel.from_config(config, trust_remote_code=False)  # type: ignore[no-untyped-call]
        network = ZeroShot(model, blueprint["num_classes"])
    except Exception as error:  # a configuration may be wrong in many ways
        raise InputError(f"transformers has no CLIP or SigLIP of this configuration: {reason_of(error)}.") from error
    known = InputsAndClasses.of_transformers(type(model).__name__, config, None)
    return made(type(model).__name__, network, known, None, dict(blueprint))


def _blueprint(model: Any, classes: int, classes_as: str) -> dict[str, Any]:
    config = model.config.to_diff_dict()
    return {"backbone": "zero-shot", "config": config, "num_classes": classes, "classes_as": classes_as}


def _tokenizer(files: PretrainedFiles) -> Any:
    from transformers import AutoTokenizer

    folder, reason = None, "it has no tokenizer_config.json"
    for name in _TOKENIZER_FILES:
        try:
            folder = files.fetch(name).parent
        except InputError:  # every tokenizer has some of them
            continue
    try:
        if folder is not None:
            with no_remote_code(files.name):
                return AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    except StackwallsError:
        raise
    except Exception as error:  # such as a tokenizer whose library is not installed
        reason = reason_of(error).rstrip(".")
    raise InputError(f"The tokenizer of {files.name}, which its classes need, does not load: {reason}.")


def _embedded(name: str, model: Any, tokenizer: Any, texts: Sequence[str]) -> torch.Tensor:
    """Texts as normalized embeddings `(texts, d)`, padded as the model was trained: SigLIP's to its limit."""
    limit = int(model.config.text_config.max_position_embeddings)
    lengths = [len(tokens) for tokens in tokenizer(list(texts))["input_ids"]]
    if max(lengths) > limit:
        longest = texts[lengths.index(max(lengths))]
        raise InputError(
            f"{name} reads texts of at most {limit} tokens, but {quotable(longest)!r} has {max(lengths)}: shorten "
            "`classes_as` (--classes-as) or the class names."
        )
    padding = "max_length" if model.config.model_type == "siglip" else "longest"
    found = []
    with torch.no_grad():
        for start in range(0, len(texts), _TEXTS_AT_ONCE):
            part = list(texts[start : start + _TEXTS_AT_ONCE])
            tokens = tokenizer(part, padding=padding, max_length=limit, return_tensors="pt")
            found.append(F.normalize(model.eval().get_text_features(**tokens).pooler_output, dim=-1))
    return torch.cat(found)
