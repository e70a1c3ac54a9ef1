"""Names of methods: the valid ones, the aliases, and what an unknown one is answered with."""

import pytest
import pytorch_grad_cam

from stackwalls.evaluate import METHODS, find_method, find_methods
from stackwalls.model import InputError

PAPER = ["GradCAM", "GradCAM++", "XGradCAM", "ScoreCAM", "AblationCAM", "EigenCAM", "HiResCAM"]


def test_the_seven_of_the_paper_in_its_order() -> None:
    assert list(METHODS) == PAPER
    assert [spec.name for spec in find_methods()] == PAPER
    for name, spec in METHODS.items():
        assert spec.name == name
        assert issubclass(getattr(pytorch_grad_cam, spec.cam_class), pytorch_grad_cam.base_cam.BaseCAM)


def test_alias_order_and_repeats() -> None:
    assert find_method("GradCAMPlusPlus") is METHODS["GradCAM++"]
    chosen = find_methods(["HiResCAM", "GradCAMPlusPlus", "GradCAM++", "GradCAM"])
    assert [spec.name for spec in chosen] == ["HiResCAM", "GradCAM++", "GradCAM"]
    assert [spec.name for spec in find_methods("EigenCAM")] == ["EigenCAM"]


@pytest.mark.parametrize(
    ("name", "near"),
    [("gradcam", "GradCAM"), ("Grad-CAM++", "GradCAM++"), ("HiresCAM", "HiResCAM"), ("ablation-cam", "AblationCAM")],
)
def test_an_unknown_name_gets_the_nearest(name: str, near: str) -> None:
    with pytest.raises(
        InputError, match=f"Unknown method '{name.replace('+', '.')}'.*GradCAM, .*HiResCAM.*Did you mean"
    ) as error:
        find_method(name)
    assert f"Did you mean '{near}'?" in str(error.value)


def test_nothing_near_and_nothing_at_all() -> None:
    with pytest.raises(InputError) as error:
        find_method("saliency of some kind")
    assert "Did you mean" not in str(error.value)
    with pytest.raises(InputError, match="No method was named"):
        find_methods([])
