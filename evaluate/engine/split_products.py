"""Float32 convolutions as three TF32 products, for GPUs whose matrix units take TF32 but not float32.

TF32 keeps 10 of float32's 23 bits behind the point. A number is the sum of a TF32 number and a rest that TF32 holds
nearly whole, x = h + l, so that x·k = l·k_h + h·k_l + h·k_h but for a term of 2⁻²¹ (Markidis et al., "NVIDIA Tensor
Core Programmability, Performance & Precision", IPDPSW 2018; CUTLASS calls it 3xTF32, Triton tf32x3). The three products
are one convolution of three times the channels, whose sums are float32's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

_TF32_BITS = -(2**13)
"""All bits of a float32 but the 13 that TF32 leaves out."""


def multiplies_tf32(device: torch.device) -> bool:
    """Whether a device has matrix units for TF32: NVIDIA's GPUs from Ampere on."""
    if device.type != "cuda" or torch.version.hip is not None:
        return False
    return torch.cuda.get_device_capability(device) >= (8, 0)


def _parts(numbers: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """TF32 numbers and the rests, which sum to `numbers` exactly."""
    high = (numbers.view(torch.int32) & _TF32_BITS).view(torch.float32)
    return high, numbers - high


class SplitProducts(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Inside, float32 convolutions without groups run as three TF32 products; everything else is as outside.

    Not for gradients. Weights are split once and kept, so an instance is for one network.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._weights: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Replace the operands of a convolution."""
        if func not in _CONVOLUTIONS or kwargs or not _CONVOLUTIONS[func](args):
            return func(*args, **(kwargs or {}))
        high, low = _parts(args[0])
        triple = torch.cat([low, high, high], 1)
        before = torch.backends.cudnn.allow_tf32
        torch.backends.cudnn.allow_tf32 = True
        try:
            return func(triple, self._split_weight(args[1]), *args[2:])
        finally:
            torch.backends.cudnn.allow_tf32 = before

    def _split_weight(self, weight: torch.Tensor) -> torch.Tensor:
        if id(weight) not in self._weights:
            high, low = _parts(weight)
            self._weights[id(weight)] = weight, torch.cat([high, low, high], 1)  # kept, so that no other gets its id
        return self._weights[id(weight)][1]


def _single_group(groups: int) -> Callable[[tuple[Any, ...]], bool]:
    """A test of an operator's arguments, of which the one at `groups` is the number of groups."""

    def fits(args: tuple[Any, ...]) -> bool:
        return args[0].dtype == torch.float32 and (len(args) <= groups or args[groups] == 1)

    return fits


_CONVOLUTIONS: dict[Any, Callable[[tuple[Any, ...]], bool]] = {
    # what a convolution is called in inference mode, elsewhere, and with its ReLU
    torch.ops.aten.conv2d.default: _single_group(6),
    torch.ops.aten.convolution.default: lambda args: not args[6] and _single_group(8)(args),
    torch.ops.aten.cudnn_convolution_relu.default: _single_group(6),
}
