"""A dataset of noise pictures that needs no files, and networks small enough to explain in no time."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import nn

from stackwalls.hub_cards import Batch, StackDataset
from stackwalls.model import Backbone, MaskedVGG16, Wall, Walled


class InMemoryDataset(StackDataset):
    """`labels` names how many there are; images are seeded noise in soft blobs."""

    def __init__(
        self, labels: Sequence[int], name: str = "noise", wall: Wall | None = None, seed: int = 0, size: int = 224
    ) -> None:
        super().__init__(name, lambda start: iter(()), len(labels), wall)
        generator = np.random.default_rng(seed)
        coarse = generator.integers(0, 256, (len(labels), size // 16, size // 16, 3), dtype=np.uint8)
        self.images = coarse.repeat(16, axis=1).repeat(16, axis=2)
        self.labels = np.array(labels, dtype=np.int64)
        self.ids = [f"{name}-{index}" for index in range(len(labels))]

    def batches(self, batch_size: int, spans: Sequence[tuple[int, int]] | None = None, *_: object) -> Iterator[Batch]:
        for first, last in [(0, len(self))] if spans is None else spans:
            for start in range(first, last, batch_size):
                part = slice(start, min(start + batch_size, last))
                yield Batch(self.ids[part], self.labels[part], self.images[part])


def sparse_vgg(width: float = 1 / 16, visible_rows: int = 5) -> MaskedVGG16:
    """Random weights whose maps are sparse and whose logits differ, as in a trained network."""
    torch.manual_seed(0)
    model = MaskedVGG16(visible_rows, num_classes=10, width=width).eval()
    for layer in model.modules():
        if isinstance(layer, nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        elif isinstance(layer, nn.Conv2d):
            nn.init.constant_(layer.bias, -0.05)
    return model


def walled_cnn(wall: str = "bottom:64") -> Walled:
    """A small network with global pooling behind a wall; 7 × 7 maps, rectified."""
    torch.manual_seed(1)
    features = nn.Sequential(nn.Conv2d(3, 6, 8, stride=8), nn.ReLU(), nn.Conv2d(6, 12, 4, stride=4), nn.ReLU())
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(12, 10))
    return Walled(Backbone("small", features, head), Wall.parse(wall)).eval()
