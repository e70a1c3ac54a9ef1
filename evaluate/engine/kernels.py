"""Convolutions and dense layers with a fused ReLU, in the layout in which this device runs them fastest.

On a CPU these are oneDNN's: their weights lie in its blocked layout from the start, and the dense ones are much faster
than MKL's on AMD processors. On an NVIDIA GPU the convolutions are cuDNN's, which add the bias and take the ReLU before
they write: as two more kernels these took 40 % of the time of a pass in float16 on an H100. Elsewhere, and where this
torch lacks them, torch's ordinary functions do the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn


def _onednn(device: torch.device, operator: str) -> bool:
    available: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return device.type == "cpu" and available and hasattr(torch.ops.mkldnn, operator)


def _cudnn(device: torch.device) -> bool:
    """Whether convolutions run through NVIDIA's cuDNN; AMD's GPUs are called cuda too."""
    available: bool = torch.backends.cudnn.is_available()  # type: ignore[no-untyped-call]
    return device.type == "cuda" and torch.version.hip is None and available


def reduced_dtype(device: torch.device) -> torch.dtype | None:
    """The 16-bit type that this device multiplies fast, or None: bfloat16 on some CPUs, float16 on GPUs."""
    if device.type != "cpu":
        return torch.float16
    supported = _onednn(device, "_is_mkldnn_bf16_supported") and torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return torch.bfloat16 if supported else None


def dense_layers(classifier: nn.Sequential) -> list[nn.Linear]:
    """The dense layers of a head, in order."""
    return [layer for layer in classifier if isinstance(layer, nn.Linear)]


def linear(inputs: torch.Tensor, layer: nn.Linear, relu: bool = False, bias: bool = True) -> torch.Tensor:
    """`inputs @ weight.T + bias`, rectified on demand, without the layer's bias on demand: `(N, in)` to `(N, out)`."""
    added = layer.bias if bias else None
    if _onednn(inputs.device, "_linear_pointwise"):
        act = "relu" if relu else "none"
        out: torch.Tensor = torch.ops.mkldnn._linear_pointwise(inputs, layer.weight, added, act, [], "")
        return out
    out = F.linear(inputs, layer.weight, added)
    return out.relu_() if relu else out


@dataclass
class ConvReLU:
    """A 3×3 convolution with stride 1 and padding 1, and its ReLU.

    Attributes:
        weight: `(out, in, 3, 3)`, in oneDNN's blocked layout where `packed`.
        bias: `(out,)`.
        packed: whether to call oneDNN directly.
        cudnn: whether to call cuDNN directly.
    """

    weight: torch.Tensor
    bias: torch.Tensor
    packed: bool
    cudnn: bool

    @classmethod
    def of(cls, layer: nn.Conv2d, input_shape: tuple[int, int, int, int], dtype: torch.dtype) -> ConvReLU:
        """Copy a layer's weights into the fastest layout for batches of `input_shape`."""
        weight = layer.weight.detach().to(dtype).contiguous(memory_format=torch.channels_last)
        bias = torch.zeros(len(weight)) if layer.bias is None else layer.bias.detach()
        packed = _onednn(weight.device, "_convolution_pointwise")
        # the first layer has 3 channels, for which the blocked layout does not pay
        if packed and layer.in_channels % 8 == 0 and hasattr(torch._C._nn, "mkldnn_reorder_conv2d_weight"):
            reorder: Any = torch._C._nn.mkldnn_reorder_conv2d_weight
            weight = reorder(weight.to_mkldnn(), [1, 1], [1, 1], [1, 1], 1, list(input_shape))
        return cls(weight, bias.to(weight.device, dtype), packed, _cudnn(weight.device))

    def __call__(self, inputs: torch.Tensor) -> torch.Tensor:
        """`(N, in, H, W)` channels_last to `(N, out, H, W)`."""
        if self.packed:
            out: torch.Tensor = torch.ops.mkldnn._convolution_pointwise(
                inputs, self.weight, self.bias, [1, 1], [1, 1], [1, 1], 1, "relu", [], ""
            )
            return out
        if self.cudnn:
            return torch.cudnn_convolution_relu(inputs, self.weight, self.bias, [1, 1], [1, 1], [1, 1], 1)
        return F.conv2d(inputs, self.weight, self.bias, padding=1).relu_()
