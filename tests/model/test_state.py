import pytest
import torch

from stackwalls.model import KeptState, MaskedVGG16, local_arithmetic, preserved


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


def test_weights_and_attributes_are_put_back(narrow_vgg: MaskedVGG16) -> None:
    conv, dense = narrow_vgg.convolutions[0], narrow_vgg.classifier[0]
    narrow_vgg.register_buffer("counts", torch.zeros(3))
    before = {name: tensor.clone() for name, tensor in narrow_vgg.state_dict().items()}
    held, bias = conv.weight, dense.bias
    kept = KeptState(narrow_vgg)
    with torch.no_grad():
        conv.weight.data.copy_(torch.randn_like(conv.weight))  # which torch's version counters do not see
        narrow_vgg.counts += 1
    bias.data = torch.zeros(2, 2)
    dense.weight = torch.nn.Parameter(torch.zeros(1))
    dense.extra = torch.nn.Parameter(torch.zeros(1))
    narrow_vgg.forward = lambda images: images  # type: ignore[method-assign]
    narrow_vgg.name = "other"
    kept.put_back()
    assert narrow_vgg.state_dict().keys() == before.keys()
    assert all(torch.equal(tensor, before[name]) for name, tensor in narrow_vgg.state_dict().items())
    assert conv.weight is held
    assert dense.bias is bias
    assert "forward" not in vars(narrow_vgg)
    assert narrow_vgg.name == "masked-vgg16"
    assert all(parameter.requires_grad for parameter in narrow_vgg.parameters())
