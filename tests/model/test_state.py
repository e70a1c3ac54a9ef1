import pytest
import torch

from stackwalls.model import MaskedVGG16, local_arithmetic, preserved


def test_everything_is_put_back_after_an_error(narrow_vgg: MaskedVGG16) -> None:
    narrow_vgg.train()
    narrow_vgg.classifier[3].eval()
    first = narrow_vgg.convolutions[0].weight
    first.grad = torch.ones_like(first)
    own = narrow_vgg.target_layer.register_forward_hook(lambda *_: None)
    with pytest.raises(ZeroDivisionError), preserved(narrow_vgg):
        assert not narrow_vgg.training
        narrow_vgg.target_layer.register_forward_hook(lambda *_: None)
        narrow_vgg.target_layer.register_full_backward_hook(lambda *_: None)
        narrow_vgg.requires_grad_(False)
        narrow_vgg.zero_grad()
        raise ZeroDivisionError
    assert narrow_vgg.training
    assert not narrow_vgg.classifier[3].training
    assert list(narrow_vgg.target_layer._forward_hooks) == [own.id]
    assert not narrow_vgg.target_layer._backward_hooks
    assert all(parameter.requires_grad for parameter in narrow_vgg.parameters())
    assert torch.equal(first.grad, torch.ones_like(first))


def test_back_end_flags_are_put_back() -> None:
    before = torch.backends.cudnn.enabled
    with local_arithmetic():
        assert not torch.backends.cudnn.enabled
    assert torch.backends.cudnn.enabled == before
