"""The device's fast convolutions on whole images against the network's own."""

import pytest
import torch
from in_memory_dataset import sparse_vgg, walled_cnn

from stackwalls.evaluate.engine.engine import Engine
from stackwalls.evaluate.engine.kernels import fast_parts

IMAGES = torch.randn(5, 3, 224, 224, generator=torch.Generator().manual_seed(4))


MODELS = [sparse_vgg, lambda: sparse_vgg(visible_rows=14), walled_cnn, lambda: walled_cnn("left:64")]


@pytest.mark.parametrize("make", MODELS)
def test_the_map_is_the_networks_own(make) -> None:  # type: ignore[no-untyped-def]
    model = make()
    with torch.no_grad():
        expected = model.features(IMAGES)
    found = fast_parts(model)(IMAGES)[0]
    assert found.is_contiguous()
    assert not found.requires_grad
    assert torch.equal(found, expected), "to the bit: near a ReLU's 0 a gradient jumps"


@pytest.mark.parametrize("make", [sparse_vgg, walled_cnn])
def test_no_bit_depends_on_the_number_of_threads_or_the_batch(make) -> None:  # type: ignore[no-untyped-def]
    model = make()
    found = []
    before = torch.get_num_threads()
    for threads in (1, 2):
        torch.set_num_threads(threads)
        try:
            found.append(fast_parts(model)(IMAGES)[0])
            assert torch.get_num_threads() == threads
        finally:
            torch.set_num_threads(before)
    assert torch.equal(*found)
    assert torch.equal(fast_parts(model)(IMAGES[:2])[0], found[0][:2])


def test_hooks_on_the_convolutions_are_heard() -> None:
    model = sparse_vgg()
    model.convolutions[3].register_forward_hook(lambda _, __, output: output * 2)
    with torch.no_grad():
        expected = model.features(IMAGES[:2])
    torch.testing.assert_close(fast_parts(model)(IMAGES[:2])[0], expected, rtol=1e-4, atol=1e-5)


def test_one_pass_makes_predictions_and_all_maps() -> None:
    """The convolutions run once a batch, whatever is asked of it; before that, on one image to check the gradient."""
    model, calls = walled_cnn(), []
    for side in model.sides:
        side.register_forward_hook(lambda _module, _inputs, maps: calls.append(len(maps)))
    from in_memory_dataset import InMemoryDataset

    from stackwalls.evaluate import evaluate
    from stackwalls.model import certify

    certificate = certify(model)
    calls.clear()
    methods = ["GradCAM", "GradCAM++", "XGradCAM", "EigenCAM", "HiResCAM", "AblationCAM"]
    evaluate(model, InMemoryDataset(range(2)), methods, certificate=certificate, progress=False)
    assert calls == [1, 1, 2, 2], "one pass over each side of the wall"


def test_an_explained_batch_can_be_divided() -> None:
    model = sparse_vgg()
    whole = Engine(model).explained(IMAGES)
    parts = [whole.at([0, 1, 2]), whole.at([3, 4])]
    joined = type(whole).joined(parts)
    assert whole.at(range(5)) is whole
    for name in ("activations", "gradients", "logits", "targets"):
        assert torch.equal(getattr(joined, name), getattr(whole, name))
    engine = Engine(model)
    torch.testing.assert_close(
        engine.raw_map("HiResCAM", IMAGES[3:], parts[1]), engine.raw_map("HiResCAM", IMAGES, whole)[3:]
    )
