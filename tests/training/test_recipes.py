"""Recipes: the paper's values, what is refused, and the learning rates that follow."""

from typing import get_type_hints

import pytest
import torch
from torch import nn

from stackwalls.model import InputError
from stackwalls.model.runtime.device import find_precision
from stackwalls.model.training import RECIPES, Recipe, find_recipe
from stackwalls.model.training.trainer import build_optimizer, learning_rate


def test_the_papers_recipe() -> None:
    paper = find_recipe("paper")
    assert (paper.optimizer, paper.learning_rate, paper.momentum, paper.weight_decay) == ("sgd", 0.03, 0.9, 1e-4)
    assert (paper.epochs, paper.batch_size, paper.crop_area, paper.crop_ratio) == (90, 256, (0.1, 1.0), (0.8, 1.25))
    # the authors' script differs from torchvision's habits in two things, which have a recipe of their own
    assert find_recipe("authors") == paper.with_values(initialization="authors", validation_resize=224)
    rates = [learning_rate(paper, epoch * 5004, 5004) for epoch in (0, 29, 30, 59, 60, 89)]
    assert rates == pytest.approx([0.03, 0.03, 0.003, 0.003, 0.0003, 0.0003])


def test_one_cycle_rises_and_falls_as_torchs_schedulers_do() -> None:
    recipe = find_recipe("tiny").with_values(epochs=4, warm_up=0.25, learning_rate=1.0)
    rates = [learning_rate(recipe, step, 10) for step in range(40)]
    assert rates[:10] == pytest.approx([(step + 1) / 11 for step in range(10)])
    parameter = nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=1.0)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=30)
    for rate in rates[10:]:
        assert rate == pytest.approx(cosine.get_last_lr()[0], abs=1e-12)
        optimizer.step()
        cosine.step()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"optimizer": "lion"}, "`optimizer` to be sgd or adamw"),
        ({"learning_rate": 0}, "`learning_rate`"),
        ({"learning_rate": float("nan")}, "`learning_rate`"),
        ({"crop_area": (0.5, 0.1)}, "`crop_area` to be two rising numbers"),
        ({"crop_area": (0.5, 4.1)}, "`crop_area` to be two rising numbers, 0 to 4"),
        ({"crop_ratio": (0.0, 1.0)}, "`crop_ratio`"),
        ({"softening": (0.5, 1.1)}, "`softening` to be two rising numbers, 0 to 1"),
        ({"color": 1.0}, "`color` to be 0 to 0.9"),
        ({"batch_size": 0}, "`batch_size` to be 1"),
        ({"learning_rat": 1}, "Did you mean 'learning_rate'"),
    ],
)
def test_what_is_no_recipe_is_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Recipe().with_values(**values)
    with pytest.raises(InputError, match="Unknown recipe 'papr': expected paper, authors, tiny, mini"):
        find_recipe("papr")


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=list(RECIPES))
def test_optimizers_are_fused_where_the_device_has_it(recipe: Recipe) -> None:
    optimizer = build_optimizer(recipe, [nn.Parameter(torch.zeros(3))])
    assert optimizer.defaults["fused"]
    assert optimizer.defaults["weight_decay"] == recipe.weight_decay


def test_precisions() -> None:
    cpu = torch.device("cpu")
    assert [find_precision(asked, cpu) for asked in ("fp32", "fp16", "bf16")] == ["no", "fp16", "bf16"]
    assert find_precision("auto", cpu) in ("no", "bf16")


def test_every_value_has_a_flag() -> None:
    from stackwalls.stackgen.cli import build_parser

    for name, kind in get_type_hints(Recipe).items():
        value = ["0.2", "0.9"] if kind == tuple[float, float] else [] if kind is bool else ["1"]
        args = build_parser().parse_args(["train", "--out", "x", f"--{name.replace('_', '-')}", *value])
        assert getattr(args, name) is not None
