"""What a type checker knows of the public API in somebody's code: `make quality` runs mypy on it, nothing runs it.

Wrong uses are marked: mypy fails on a mark that is not needed.
"""

from typing import Any, assert_type

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

import stackwalls
from stackwalls import Wall, certify, load_model, walled
from stackwalls.evaluate import Results, evaluate, mu
from stackwalls.hub_cards import StackDataset, open_dataset
from stackwalls.model import Certificate, LayeredModel, WalledNetwork
from stackwalls.stackmix import MixSpec, mix


def brightness(model: nn.Module, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return inputs.mean(1)


def use() -> None:
    wall = Wall.parse("bottom:64")
    network = walled("resnet50", wall)
    assert_type(network, WalledNetwork)
    assert_type(certify(network, wall), Certificate)
    assert_type(load_model("mini-masked-vgg16"), LayeredModel)
    assert_type(mu(np.ones((1, 224, 224)), wall), NDArray[Any])
    assert_type(wall.chance, float)

    mix(MixSpec(source="drawn", classes=2), "stack-mix")
    dataset = open_dataset("stack-mix")
    assert_type(dataset, StackDataset)
    results = evaluate(network, dataset, {"GradCAM": "GradCAM", "mine": brightness}, out="results")
    assert_type(results, Results)
    assert_type(results.table(), str)
    assert_type(stackwalls.__version__, str)


def misuse() -> None:
    Wall.parse(54)  # type: ignore[arg-type]
    walled("resnet50", "bottom:64", pretrained="yes")  # type: ignore[arg-type]
    evaluate(load_model("mini-masked-vgg16"), "stack-mix", out=54)  # type: ignore[arg-type]
    MixSpec(sourse="drawn")  # type: ignore[call-arg]
