"""Convolutions and dense layers as the device runs them fastest: the only module that calls torch's private operators.

- On a CPU they are oneDNN's, with weights in its blocked layout; its dense layers are much faster than MKL's on AMD.
- On an NVIDIA GPU the convolutions are cuDNN's, which add the bias and apply the ReLU before they write. As two more
  kernels these took 40 % of the time of a float16 pass on an H100.
- Elsewhere, and where this version of torch lacks an operator, torch's public functions do the same.
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from stackwalls.model import BlindModel, MaskedVGG16, parallel_map

Features = Callable[[torch.Tensor], torch.Tensor]
"""Images or maps to maps; for a whole network, `(N, 3, H, W)` normalized to `(N, C, h, w)` float32, contiguous."""


def _onednn(device: torch.device, operator: str) -> bool:
    available: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return device.type == "cpu" and available and hasattr(torch.ops.mkldnn, operator)


def _is_nvidia(device: torch.device) -> bool:
    return device.type == "cuda" and torch.version.hip is None  # AMD's GPUs are called cuda, too


def reduced_dtype(device: torch.device) -> torch.dtype | None:
    """The 16-bit type that this device multiplies fast, or None: bfloat16 on some CPUs, float16 on GPUs."""
    if device.type != "cpu":
        return torch.float16
    supported = _onednn(device, "_is_mkldnn_bf16_supported") and torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return torch.bfloat16 if supported else None


def multiplies_tf32(device: torch.device) -> bool:
    """Whether a device has matrix units for TF32: NVIDIA's GPUs from Ampere on."""
    return _is_nvidia(device) and torch.cuda.get_device_capability(device) >= (8, 0)


def dense_layers(classifier: nn.Sequential) -> list[nn.Linear]:
    """The dense layers of a head, in order."""
    return [layer for layer in classifier if isinstance(layer, nn.Linear)]


def linear(inputs: torch.Tensor, layer: nn.Linear, relu: bool = False, bias: bool = True) -> torch.Tensor:
    """`inputs @ weight.T`, with the layer's bias and a ReLU on request: `(N, in)` to `(N, out)`."""
    added = layer.bias if bias else None
    if _onednn(inputs.device, "_linear_pointwise"):
        act = "relu" if relu else "none"
        out: torch.Tensor = torch.ops.mkldnn._linear_pointwise(inputs, layer.weight, added, act, [], "")
        return out
    out = F.linear(inputs, layer.weight, added)
    return out.relu_() if relu else out


def conv_relu(layer: nn.Conv2d, input_shape: tuple[int, int, int, int], dtype: torch.dtype) -> Features:
    """A 3×3 convolution with stride 1 and padding 1, and its ReLU: `(N, in, H, W)` channels_last to `(N, out, H, W)`.

    For ScoreCAM's masked passes, fast up to rounding. Its weights are copied into the fastest layout for `input_shape`.
    """
    weight = layer.weight.detach().to(dtype).contiguous(memory_format=torch.channels_last)
    device = weight.device
    bias = (torch.zeros(len(weight)) if layer.bias is None else layer.bias.detach()).to(device, dtype)
    stride, padding, dilation, groups = [1, 1], [1, 1], [1, 1], 1
    if _onednn(device, "_convolution_pointwise"):
        # the first layer has 3 channels, for which the blocked layout does not pay
        if layer.in_channels % 8 == 0 and hasattr(torch._C._nn, "mkldnn_reorder_conv2d_weight"):
            given: Any = (padding, stride, dilation, groups, list(input_shape))
            weight = torch._C._nn.mkldnn_reorder_conv2d_weight(weight.to_mkldnn(), *given)
        run = torch.ops.mkldnn._convolution_pointwise
        return lambda x: run(x, weight, bias, padding, stride, dilation, groups, "relu", [], "")
    if _is_nvidia(device) and torch.backends.cudnn.is_available():  # type: ignore[no-untyped-call]
        return lambda x: torch.cudnn_convolution_relu(x, weight, bias, stride, padding, dilation, groups)
    return lambda x: F.conv2d(x, weight, bias, padding=1).relu_()


def fast_parts(model: BlindModel) -> Callable[[torch.Tensor], tuple[torch.Tensor, torch.Tensor | None]]:
    """A network's `parts` on its device, as fast as possible with the same bits.

    On a CPU, a masked VGG16 stays in oneDNN's blocked layout from the first convolution to the last; torch's own
    convolutions convert every input and output. It takes a few images per call, and runs calls side by side. Layouts
    that are faster still (channels last) round differently. That matters: a hidden unit of the head close to 0 changes
    sides, the gradient jumps, and a map moves by 4e-3 on one noise image in eight.

    The model must be in evaluation mode. A masked VGG16's weights are copied (59 MB).
    """
    blocked = _in_blocked_layout(model) if isinstance(model, MaskedVGG16) and model.layer is None else None

    def one(images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        with torch.no_grad():
            activations, rest = (blocked(images), None) if blocked else model.parts(images)
            return activations.contiguous(), rest

    def parts(images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        with parallel_map() as mapped:
            found = list(mapped(one, torch.split(images, 2)))  # more do not fit a CPU's caches
        rests = [rest for _, rest in found if rest is not None]
        return torch.cat([activations for activations, _ in found]), torch.cat(rests) if rests else None

    return one if next(model.parameters()).device.type != "cpu" else parts


def _in_blocked_layout(model: MaskedVGG16) -> Features:
    """The convolutions on oneDNN's opaque tensors, or the model's own if that is impossible or hooks are to be called.

    ReLUs write into the convolution's own output, which nobody else holds: a new tensor costs as much as the ReLU. They
    move behind a max-pool, which changes no bit and leaves them a quarter of the values.
    """
    available: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    hooked = any(layer._forward_hooks or layer._forward_pre_hooks for layer in model.convolutions.modules())
    if hooked or not available or next(model.parameters()).dtype != torch.float32:
        return model.features
    steps: list[Features] = []
    layers = list(model.convolutions)
    for layer, following in zip(layers, [*layers[1:], None], strict=True):
        if isinstance(layer, nn.Conv2d):
            steps.append(_blocked_convolution(layer))
        elif isinstance(layer, nn.MaxPool2d):
            steps += [layer, torch.relu_]
        elif not isinstance(following, nn.MaxPool2d):
            steps.append(torch.relu_)

    def features(images: torch.Tensor) -> torch.Tensor:
        x = images.to_mkldnn()
        for step in steps:
            x = step(x)
        return x.to_dense()

    return features


def _blocked_convolution(layer: nn.Conv2d) -> Features:
    given: Any = (layer.padding, layer.stride, layer.dilation, layer.groups)
    weight = torch._C._nn.mkldnn_reorder_conv2d_weight(layer.weight.detach().to_mkldnn(), *given)
    bias = None if layer.bias is None else layer.bias.detach().to_mkldnn()
    return lambda x: torch.mkldnn_convolution(x, weight, bias, *given)


class SplitProducts(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Inside this context, float32 convolutions without groups run as three TF32 products (`--precision tf32x3`).

    TF32 keeps 10 of float32's 23 mantissa bits. A number is the sum of a TF32 number and a remainder that TF32 holds
    almost exactly, x = h + l, so x·k = l·k_h + h·k_l + h·k_h up to a term of 2⁻²¹ (Markidis et al., "NVIDIA Tensor Core
    Programmability, Performance & Precision", IPDPSW 2018; CUTLASS calls it 3xTF32, Triton tf32x3). The three products
    are one convolution of three times the channels, accumulated in float32.

    Not for gradients. Weights are split once and kept, so use one instance per network.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._weights: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Replace the operands of a convolution."""
        if kwargs or not _is_splittable(func, args):
            return func(*args, **(kwargs or {}))
        high, low = _tf32_parts(args[0])
        triple = torch.cat([low, high, high], 1)
        before = torch.backends.cudnn.allow_tf32
        torch.backends.cudnn.allow_tf32 = True
        try:
            return func(triple, self._split_weight(args[1]), *args[2:])
        finally:
            torch.backends.cudnn.allow_tf32 = before

    def _split_weight(self, weight: torch.Tensor) -> torch.Tensor:
        if id(weight) not in self._weights:
            high, low = _tf32_parts(weight)
            # the weight is kept too, so that no other tensor gets its id
            self._weights[id(weight)] = weight, torch.cat([high, low, high], 1)
        return self._weights[id(weight)][1]


def _tf32_parts(numbers: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """TF32 numbers and the remainders; they sum to `numbers` exactly."""
    high = (numbers.view(torch.int32) & -(2**13)).view(torch.float32)  # without the 13 bits that TF32 drops
    return high, numbers - high


_GROUPS = {
    torch.ops.aten.conv2d.default: 6,  # in inference mode
    torch.ops.aten.convolution.default: 8,  # elsewhere
    torch.ops.aten.cudnn_convolution_relu.default: 6,
}
"""What a convolution is called, and which of its arguments is the number of groups."""


def _is_splittable(func: Any, args: tuple[Any, ...]) -> bool:
    """Whether an operator is a float32 convolution without groups, and not a transposed one."""
    if func not in _GROUPS or args[0].dtype != torch.float32:
        return False
    groups = args[_GROUPS[func]] if len(args) > _GROUPS[func] else 1
    return groups == 1 and not (func is torch.ops.aten.convolution.default and args[6])
