"""The picture that the theory is shown on: a handwritten digit, 28 × 28."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from torch.nn import functional as F

from stackwalls.model.errors import InputError, RunError

SIDE = 28
"""Height and width of a digit in pixels, MNIST's."""

_SMALL_MAXIMUM = 16
"""Brightest value of scikit-learn's digits, which are 8 × 8."""

_MNIST = "ylecun/mnist"
"""The data set's name on the Hugging Face Hub; its test split is used."""


def small_digit(digit: int = 8) -> torch.Tensor:
    """The first such digit among those that scikit-learn brings along, enlarged from 8 × 8 (bicubic).

    Returns:
        `(1, 28, 28)` float64 in [0, 1], the digit bright on black.

    Raises:
        InputError: if `digit` is not 0 to 9.
    """
    from sklearn.datasets import load_digits

    if digit not in range(10):
        raise InputError(f"Expected a digit from 0 to 9, but got {digit}.")
    digits = load_digits()
    small = digits.images[int(np.flatnonzero(digits.target == digit)[0])].astype(np.float32) / _SMALL_MAXIMUM
    large = Image.fromarray(small).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    return torch.from_numpy(np.asarray(large, dtype=np.float64).clip(0, 1)).unsqueeze(0)


def mnist_digit(index: int) -> torch.Tensor:
    """A digit of MNIST's test set, from the Hugging Face Hub.

    Args:
        index: of the picture, 0 to 9999.

    Returns:
        `(1, 28, 28)` float64 in [0, 1], the digit bright on black.

    Raises:
        InputError: if there is no picture of that index.
        RunError: if the data set cannot be had.
    """
    from datasets import load_dataset

    try:
        data = load_dataset(_MNIST, split="test")
    except Exception as error:  # datasets and huggingface_hub raise a dozen kinds, some of them other libraries'
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise RunError(
            f"Cannot load {_MNIST} from the Hugging Face Hub: {reason}. Leave out --mnist to use scikit-learn's digits."
        ) from error
    if not 0 <= index < len(data):
        raise InputError(f"Expected a picture of MNIST's test set, 0 to {len(data) - 1}, but got {index}.")
    picture = np.asarray(data[index]["image"].convert("L"), dtype=np.float64) / 255
    return torch.from_numpy(picture).unsqueeze(0)


def padded(image: torch.Tensor, kernel: int) -> torch.Tensor:
    """Zeros above and to the right of `(C, H, W)`, so that filters of `kernel` give maps of H × W.

    As in the authors' notebook (MagamedT/cam-can-see-through-walls, figure_code/mnist_experiment.ipynb).
    """
    return F.pad(image, (0, kernel - 1, kernel - 1, 0))
