"""The procedural pictures of `stackwalls.model.images.drawn` as a source: no data, no network."""

from __future__ import annotations

from collections.abc import Collection

from stackwalls.model import parse_class

PICTURES = 50
"""Pictures of a class, as many as ImageNet's validation set has."""


class DrawnPictures:
    """Drawn animals: picture `number` of a class is `draw(class_index, seed=number)`; ids `drawn/n01443537/000001`."""

    name = "drawn"

    def index(self) -> dict[int, list[str]]:
        """Class index to the ids of its `PICTURES` pictures."""
        from stackwalls.model.images.drawn import drawn_classes

        return {
            entry.index: [f"drawn/{entry.synset}/{number:06d}" for number in range(PICTURES)]
            for entry in sorted(drawn_classes(), key=lambda entry: entry.index)
        }

    def fetch(self, image_ids: Collection[str]) -> None:
        """Nothing to do: pictures are drawn one by one."""

    def read(self, image_id: str) -> bytes:
        """The picture as a binary PPM file: the pixels behind a short header, the same with every encoder."""
        from stackwalls.model.images.drawn import draw

        _, synset, number = image_id.split("/")
        pixels = draw(parse_class(synset).index, seed=int(number))
        height, width, _ = pixels.shape
        return b"P6 %d %d 255\n" % (width, height) + pixels.tobytes()
