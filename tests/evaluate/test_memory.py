"""Batch sizes from a memory budget; less at once if memory runs out, and the same results."""

from typing import Any

import captum.attr
import numpy as np
import pytest
import timm
import torch
from in_memory_dataset import InMemoryDataset, sparse_vgg, walled_cnn
from PIL import Image
from torch import nn

from stackwalls.evaluate import METHODS, Subject, evaluate
from stackwalls.evaluate.adapters import Configured, as_explainer
from stackwalls.evaluate.engine.attention import by_attention
from stackwalls.evaluate.engine.batch_sizes import BatchSizes, pass_bytes
from stackwalls.evaluate.engine.engine import Engine
from stackwalls.evaluate.run.evaluation_spec import parse_bytes
from stackwalls.model import InputError, RunError, Walled, certify, is_out_of_memory, walled
from stackwalls.model.images.drawn import draw


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("4GB", 4 * 10**9),
        ("512MiB", 512 * 2**20),
        ("1.5 gb", 1500 * 10**6),
        ("100000", 10**5),
        ("2kib", 2048),
        ("4G", 4 * 10**9),
        ("1TiB", 2**40),
    ],
)
def test_amounts_are_read(text: str, size: int) -> None:
    assert parse_bytes(text) == size


@pytest.mark.parametrize(
    "text", ["", "much", "GB", "-1GB", "0", "0.5", "4TBB", "4 G B", "9" * 5000 + "GB"], ids=lambda text: text[:9]
)
def test_what_is_no_amount_is_named(text: str) -> None:
    with pytest.raises(InputError, match="expected a number of bytes, or one with a unit"):
        parse_bytes(text)


def test_a_pass_takes_the_largest_layers_inputs_and_outputs() -> None:
    subject = Subject.of(sparse_vgg())
    # the first block at a sixteenth of the width: 4 channels of 224 × 224 before a layer, and after it
    largest, of_target, kept = pass_bytes(subject)
    assert (largest, of_target) == (2 * 4 * (4 + 4) * 224 * 224, 4 * 16 * 14 * 14)
    outputs = [4 * 4 * 224 * 224] * 4 + [4 * 8 * 112 * 112] * 4  # of the first two blocks' layers
    assert sum(outputs) < kept < 1.5 * sum(outputs)
    assert not any(module._forward_hooks for module in subject.model.modules())


def test_sizes_follow_from_the_memory() -> None:
    subject = Subject.of(sparse_vgg())
    image, _, kept = pass_bytes(subject)

    def sizes(memory: int) -> tuple[int, int, int]:
        found = BatchSizes(say=pytest.fail)
        found.limit(subject, memory)
        return found.images, found.ablated, found.masked

    assert sizes(10**12) == (32, 32, 8)
    assert sizes(4 * image)[::2] == (4, 4)
    assert sizes(2 * image)[::2] == (2, 2)
    assert sizes(1) == (1, 1, 1)
    found = BatchSizes()
    found.limit(subject, 4 * kept)
    assert found.differentiated == 4
    assert found.images > 4


def smooth(model: nn.Module, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """A method of one's own that makes five copies of each image, and hides what goes wrong."""
    copies = torch.cat([inputs * (1 + step / 10) for step in range(5)]).requires_grad_(True)
    try:
        model(copies).gather(1, targets.repeat(5)[:, None]).sum().backward()
    except Exception:
        return torch.zeros_like(inputs)
    assert copies.grad is not None
    return copies.grad.view(5, *inputs.shape).abs().mean(0)


MASK = torch.arange(4).view(2, 2).repeat_interleave(112, 0).repeat_interleave(112, 1)[None, None]
STEPS = {"n_steps": 7}
MULTIPLYING = {
    "smooth": (smooth, 5),
    "IntegratedGradients": (Configured(captum.attr.IntegratedGradients, STEPS), 1),
    "LayerIntegratedGradients": (Configured(captum.attr.LayerIntegratedGradients, STEPS), 1),
    "in one pass": (Configured(captum.attr.IntegratedGradients, {**STEPS, "internal_batch_size": 400}), 1),
    "InternalInfluence": (Configured(captum.attr.InternalInfluence, STEPS), 1),
    "LayerConductance": (Configured(captum.attr.LayerConductance, STEPS), 2),  # two steps at least
    "DeepLift": (captum.attr.DeepLift, 2),
    "ablation": (Configured(captum.attr.FeatureAblation, {"feature_mask": MASK, "perturbations_per_eval": 4}), 1),
    "DeepLiftShap": (Configured(captum.attr.DeepLiftShap, {"baselines": torch.zeros(3, 3, 224, 224)}), 6),
}
"""What makes several copies of each image, and how many of one image's it cannot divide into several passes."""


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", MULTIPLYING)
def test_a_pass_has_no_more_images_than_a_run_allows(name: str) -> None:
    images = torch.randn(4, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    method, undivided = MULTIPLYING[name]
    model, calls = with_room_for(10**6, MemoryError())
    for most in (100, 4, 3):
        calls.clear()
        explainer = as_explainer("mine", method, Subject.of(model), most=most)
        found = explainer.explain(images, [0, 1, 2, 3], ["mine"])["mine"].maps
        if most == 100:
            expected, alone = found, max(calls)
        assert max(calls) <= max(most, undivided)
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4 * expected.max())
    assert alone > 4, "without a limit, it makes more of four images"


def test_a_budget_counts_what_a_method_multiplies() -> None:
    model, calls = with_room_for(10**6, MemoryError())
    data, kept = InMemoryDataset(range(3)), pass_bytes(Subject.of(model))[2]
    rows = {}
    for memory in (None, 3 * kept):
        calls.clear()
        methods = {"IG": MULTIPLYING["IntegratedGradients"][0], "mine": smooth}
        rows[memory] = evaluate(model, data, methods, memory=memory, progress=False).per_image
        assert rows[memory]["error"].isna().all()
        assert max(calls) == (6 if memory is None else 5), "two steps of three images; smooth's five of one"
        np.testing.assert_allclose(rows[memory]["mu"], rows[None]["mu"], rtol=1e-4)


def test_which_errors_mean_that_memory_did_not_suffice() -> None:
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory."))
    assert is_out_of_memory(MemoryError())
    said = "[enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to"
    assert is_out_of_memory(RuntimeError(said))
    assert is_out_of_memory(RuntimeError("MPS backend out of memory (MPS allocated: 1 GB)"))
    assert not is_out_of_memory(RuntimeError("shapes do not match"))
    assert not is_out_of_memory(ValueError("out of memory"))


def test_the_cpus_own_refusal_is_known() -> None:
    with pytest.raises(RuntimeError) as refused:
        torch.empty(2**60, dtype=torch.uint8)
    assert is_out_of_memory(refused.value)


ERRORS = (torch.OutOfMemoryError("CUDA out of memory"), MemoryError(), RuntimeError("can't allocate memory"))


def with_room_for(count: int, error: Exception) -> tuple[Walled, list[int]]:
    """A network whose head fails on more than `count` maps at once, and the sizes of its calls."""
    model, calls = walled_cnn(), list[int]()

    def count_maps(_head: torch.nn.Module, inputs: tuple[torch.Tensor]) -> None:
        calls.append(len(inputs[0]))
        if len(inputs[0]) > count:
            raise error

    model.pooled_head.register_forward_pre_hook(count_maps)
    return model, calls


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_less_at_once_and_the_same_maps(error: Exception) -> None:
    images = torch.randn(8, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    methods = ["GradCAM", "AblationCAM", "HiResCAM"]
    expected, _ = Engine(walled_cnn()).raw_maps(images, methods)
    said: list[str] = []
    sizes = BatchSizes(say=said.append)
    model, calls = with_room_for(3, error)
    found, _ = Engine(model, sizes=sizes).raw_maps(images, methods)
    assert calls[:7] == [8, 4, 2, 2, 2, 2, 12], "8 images shrink to pairs, then 12 ablated maps"
    assert (sizes.images, sizes.ablated) == (2, 3)
    assert said == ["Memory ran out with 8 images at once: continuing with 4, or fewer."]
    for method in methods:
        torch.testing.assert_close(found[method], expected[method], rtol=1e-4, atol=1e-5)


def test_masked_passes_shrink_too() -> None:
    image = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    expected, _ = Engine(walled_cnn()).raw_maps(image, ["ScoreCAM"])
    model, calls = walled_cnn(), []
    original = model.pooled_head

    class Limited(torch.nn.Module):
        def forward(self, maps: torch.Tensor) -> Any:
            calls.append(len(maps))
            if len(maps) > 1:
                raise MemoryError
            return original(maps)

    model.pooled_head = Limited()
    sizes = BatchSizes(say=lambda _: None)
    found, _ = Engine(model, sizes=sizes).raw_maps(image, ["ScoreCAM"])
    assert sizes.masked == 1
    assert {1, 2, 4, 8} <= set(calls)
    torch.testing.assert_close(found["ScoreCAM"], expected["ScoreCAM"], rtol=1e-4, atol=1e-5)


def test_a_run_goes_on_with_less(capsys: pytest.CaptureFixture[str]) -> None:
    data = InMemoryDataset(range(11))
    expected = evaluate(walled_cnn(), data, tuple(METHODS), progress=False).per_image
    model, _ = with_room_for(2, ERRORS[0])
    found = evaluate(model, data, tuple(METHODS), progress=False).per_image
    assert capsys.readouterr().err.count("Memory ran out") == 1
    assert found["error"].isna().all()
    for column in ("mu", "mu_native", "energy"):
        assert found[column].to_numpy() == pytest.approx(expected[column].to_numpy(), abs=1e-5, nan_ok=True)


def test_a_method_of_ones_own_gets_fewer_images() -> None:
    calls: list[int] = []

    def method(model: Any, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        calls.append(len(inputs))
        if len(inputs) > 2:
            raise MemoryError
        return inputs.abs().mean(1)

    rows = evaluate(walled_cnn(), InMemoryDataset(range(8)), {"m": method}, progress=False).per_image
    assert calls == [8, 4, 2, 2, 4, 2, 2]
    assert rows["error"].isna().all()


def test_one_image_that_does_not_fit_is_a_sentence() -> None:
    model, _ = with_room_for(0, ERRORS[0])
    certificate = certify(walled_cnn())
    with pytest.raises(RunError, match="not enough memory for a forward pass of one image"):
        evaluate(model, InMemoryDataset([0]), ["GradCAM"], progress=False, certificate=certificate)


def test_the_rows_do_not_depend_on_the_memory() -> None:
    data = InMemoryDataset(range(5))
    much, little = (
        evaluate(sparse_vgg(), data, tuple(METHODS), progress=False, memory=size).per_image for size in (None, "1MB")
    )
    for column in ("mu", "mu_native", "energy"):
        assert little[column].to_numpy() == pytest.approx(much[column].to_numpy(), abs=1e-5, nan_ok=True)


def test_a_budget_counts_attention_weights() -> None:
    """Of a ViT with many tokens, most of what is kept for the backward passes are weights."""
    options = {"img_size": 64, "patch_size": 4, "num_classes": 7, "embed_dim": 24, "depth": 2, "num_heads": 3}
    model: Any = walled(timm.create_model("vit_tiny_patch16_224", **options), "bottom:16@64")
    [explainer] = by_attention(Subject.of(model), ["LeGrad"])
    each, weights = explainer.image_bytes(), 2 * 3 * 257**2 * 4
    assert 2 * weights < each < 3 * weights
    pictures = [Image.fromarray(draw(index, 0, 64)) for index in range(6)]
    certificate, passes, rows = certify(model), list[int](), {}
    model.network.patch_embed.register_forward_pre_hook(lambda _module, given: passes.append(len(given[0])))
    for memory, most in ((None, 6), (each * 5, 4), (each, 1)):
        passes.clear()
        found = evaluate(model, pictures, ["LeGrad"], certificate=certificate, memory=memory, progress=False)
        rows[memory] = found.per_image["mu"].astype(float)
        assert max(passes) == most
    for found in rows.values():
        np.testing.assert_allclose(found, rows[None], atol=1e-6)
