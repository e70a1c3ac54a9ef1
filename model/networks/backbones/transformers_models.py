"""Image classifiers of transformers, from the Hub or a folder: configurations, safetensors and tokenizers only."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from contextlib import redirect_stdout, suppress
from dataclasses import replace
from pathlib import Path
from sys import stderr
from typing import TYPE_CHECKING, Any

from stackwalls.model.documents import read_json
from stackwalls.model.errors import InputError, StackwallsError, reason_of
from stackwalls.model.hub.failures import no_remote_code
from stackwalls.model.networks.backbones.backbone import HUB_PREFIX, Backbone, made
from stackwalls.model.networks.backbones.inputs_and_classes import InputsAndClasses
from stackwalls.model.networks.backbones.own_networks import library_network, load_weights
from stackwalls.model.networks.backbones.zero_shot import ZERO_SHOT, ClassTexts, zero_shot
from stackwalls.model.networks.files.pretrained import CONFIG_NAME, WEIGHTS_NAME, PretrainedFiles
from stackwalls.model.networks.files.weights import read_safetensors
from stackwalls.model.runtime.foreign import quiet_logs

if TYPE_CHECKING:
    from transformers import PreTrainedModel


_PROCESSORS = "preprocessor_config.json", "processor_config.json"


def load_transformers(files: PretrainedFiles, texts: ClassTexts | None = None) -> Backbone:
    """A classifier of transformers with its own configuration, image processor and class names.

    Args:
        files: of a folder that transformers' `save_pretrained` wrote, or of a repository on the Hub, of transformers or
            timm.
        texts: the classes of a CLIP or SigLIP, which has none of its own.

    Raises:
        InputError: if it has no safetensors weights or needs its own code, is not an image classifier, or its classes
            are texts and there are none, or the other way round.
        RunError: if the Hub cannot be reached.
    """
    config = read_json(files.fetch(CONFIG_NAME))
    heads = [str(name) for name in config.get("architectures") or ()]
    is_zero_shot = config.get("model_type") in ZERO_SHOT and not any("ForImageClassification" in name for name in heads)
    if is_zero_shot and texts is None:
        raise InputError(
            f"{files.name} has no classes of its own, because they are texts: say how a class's name becomes one "
            '(`classes_as=`, --classes-as "a photo of a {}").'
        )
    if texts is not None and not is_zero_shot:
        raise InputError(f"{files.name} is not a CLIP or SigLIP whose classes are texts: leave out --classes-as.")
    if "architecture" in config and "model_type" not in config:
        return _of_timm(files, config)
    network = _network(files, is_zero_shot)
    name = f"{HUB_PREFIX}{files.name.partition('@')[0]}" if files.on_hub else type(network).__name__
    known = _inputs_and_classes(files, network)
    if texts is not None:
        return zero_shot(name, files, network, known, texts)
    blueprint = {"backbone": "transformers", "config": network.config.to_diff_dict()}
    return made(name, network, known, f"{HUB_PREFIX}{files.name}" if files.on_hub else None, blueprint)


def _of_timm(files: PretrainedFiles, config: Mapping[str, Any]) -> Backbone:
    """A network that timm's `save_for_hf` or `push_to_hf_hub` wrote."""
    name, stated = config["architecture"], config.get("pretrained_cfg") or {}
    path = files.fetch(WEIGHTS_NAME)
    state = read_safetensors(path)
    _say_precision(path)
    stated = {**stated, "num_classes": config.get("num_classes"), "label_names": config.get("label_names")}
    known = InputsAndClasses.of_timm(name, stated, pretrained=True)
    backbone = library_network("timm", name, config.get("num_classes", 1000))
    load_weights(backbone, path, state)
    return replace(
        backbone,
        name=f"{HUB_PREFIX}{files.name.partition('@')[0]}" if files.on_hub else backbone.name,
        weights=f"{HUB_PREFIX}{files.name}" if files.on_hub else None,
        **{key: getattr(known, key) for key in ("transform", "mean", "std", "class_names")},
    )


def network_of(config: Mapping[str, Any]) -> PreTrainedModel:
    """The classifier that a configuration describes, with random weights.

    Raises:
        InputError: if transformers has none.
    """
    from transformers import AutoConfig, AutoModelForImageClassification

    try:
        known = AutoConfig.for_model(**config)
        network: PreTrainedModel = AutoModelForImageClassification.from_config(  # type: ignore[no-untyped-call]
            known, trust_remote_code=False
        )
    except Exception as error:  # a configuration may be wrong in many ways
        raise InputError(f"transformers has no classifier of this configuration: {_reason(error)}.") from error
    return network


def _network(files: PretrainedFiles, is_zero_shot: bool) -> PreTrainedModel:
    from transformers import AutoModel, AutoModelForImageClassification
    from transformers.utils import logging

    folder = files.fetch(CONFIG_NAME).parent
    name, weights = files.name, files.fetch(WEIGHTS_NAME)
    _say_precision(weights)
    try:
        with no_remote_code(name), quiet_logs(logging), redirect_stdout(stderr):
            kind = AutoModel if is_zero_shot else AutoModelForImageClassification
            network, found = kind.from_pretrained(
                folder,
                dtype="float32",
                use_safetensors=True,
                trust_remote_code=False,
                local_files_only=True,
                output_loading_info=True,
            )
    except StackwallsError:
        raise
    except Exception as error:  # transformers and what it calls raise dozens of kinds here
        raise InputError(f"{name} does not load as an image classifier of transformers: {_reason(error)}.") from error
    if missing := sorted(found["missing_keys"]):
        raise InputError(
            f"{name} holds no trained classifier: {len(missing)} tensors are missing, such as {missing[0]}. Use a "
            "network that was trained to classify images."
        )
    trained: PreTrainedModel = network
    return trained


def _reason(error: Exception) -> str:
    return reason_of(error).rstrip(".")


def _say_precision(weights: Path) -> None:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(weights, "pt") as file:
            kinds = {file.get_slice(key).get_dtype() for key in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise InputError(f"{weights} does not load as safetensors ({error}): it is damaged.") from error
    if half := kinds & {"F16", "BF16"}:
        warnings.warn(
            f"The weights in {weights.name} are {' and '.join(sorted(half))}; the network computes in float32.",
            stacklevel=5,
        )


def _inputs_and_classes(files: PretrainedFiles, network: Any) -> InputsAndClasses:
    from transformers import AutoImageProcessor

    name, config = files.name, network.config
    if config.model_type == "timm_wrapper":
        names = InputsAndClasses.of_transformers(name, config, None).class_names
        return InputsAndClasses.of_timm(name, network.timm_model.pretrained_cfg, pretrained=False).with_names(names)
    folder = _processor_folder(files)
    if folder is None:
        warnings.warn(f"{name} has no {_PROCESSORS[0]}: its images are normalized as ImageNet's are.", stacklevel=4)
        return InputsAndClasses.of_transformers(name, config, None)
    try:
        with no_remote_code(name):
            processor = AutoImageProcessor.from_pretrained(  # type: ignore[no-untyped-call]
                folder, trust_remote_code=False, local_files_only=True
            )
    except StackwallsError:
        raise
    except Exception as error:  # as above
        raise InputError(f"The image processor of {name} does not load: {_reason(error)}.") from error
    return InputsAndClasses.of_transformers(name, config, processor.to_dict())


def _processor_folder(files: PretrainedFiles) -> Path | None:
    for name in _PROCESSORS:
        with suppress(InputError):
            return files.fetch(name).parent
    return None
