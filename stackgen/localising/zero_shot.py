"""`ZeroShot`: detection by words with transformers: OWLv2, Grounding DINO, and any other model of that task."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL.Image import Resampling

from stackwalls.model import InputError, file_sha256, first_line
from stackwalls.stackgen.localising.fetching import fetch_detector
from stackwalls.stackgen.localising.localizer import Detections, check_nouns

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image

BATCH = 8
"""Frames that go through the model at once, all of one size."""

_OWL = ("owlvit", "owlv2")
"""Model types that were trained with a sentence round the noun, in one query a noun, each of at most 16 tokens."""

_THRESHOLDS = {"owlvit": 0.10, "owlv2": 0.15}
"""Smallest scores, by model type: from 0.15 on OWLv2's boxes are things rather than texture."""

_THRESHOLD = 0.25
"""For all others; it is Grounding DINO's own default for boxes."""


class ZeroShot:
    """A zero-shot detector, in single precision whatever the weights' own.

    The nouns of a frame are asked for together and what is found under any of them is pooled. Texts longer than the
    model reads (16 tokens with OWLv2) are cut at their end.

    Attributes:
        name: as it was asked for.
        revision: the commit on the Hub, or "sha256:…" over config.json and the weights of a folder.
        threshold: boxes of a lower score are dropped.
    """

    def __init__(self, model: Any, processor: Any, name: str, revision: str | None) -> None:
        self.name, self.revision = name, revision
        self._model, self._processor = model, processor
        self._kind = str(model.config.model_type)
        self.threshold = _THRESHOLDS.get(self._kind, _THRESHOLD)

    @classmethod
    def load(cls, source: str, device: torch.device | str = "cpu", name: str | None = None) -> ZeroShot:
        """From a folder, or from `owner/name[@revision]` on the Hub.

        Raises:
            InputError: if there is no such model, it is of another task, or its terms are not accepted.
            RunError: if the Hub cannot be reached.
        """
        import torch
        from transformers import AutoModelForZeroShotObjectDetection, AutoProcessor

        folder = Path(source) if Path(source).is_dir() else fetch_detector(source)
        try:
            processor = AutoProcessor.from_pretrained(folder)  # type: ignore[no-untyped-call]
            model = AutoModelForZeroShotObjectDetection.from_pretrained(
                folder, dtype=torch.float32, use_safetensors=True
            )
        except (OSError, ValueError, KeyError, ImportError) as error:
            raise InputError(
                f"{source} holds no model for zero-shot object detection that transformers reads, with its processor "
                f"and safetensors weights: {first_line(error)}."
            ) from error
        if not hasattr(processor, "post_process_grounded_object_detection"):
            raise InputError(f"{source} has no processor for zero-shot object detection: name a whole model.")
        revision = _folder_revision(folder) if Path(source).is_dir() else folder.name
        return cls(model.to(device).eval(), processor, name or source, revision)

    def locate(self, frames: Sequence[Image], nouns: Sequence[Sequence[str]]) -> list[Detections]:
        """What is in each frame; see `Localizer`."""
        check_nouns(frames, nouns)
        found: dict[int, Detections] = {}
        for batch in _batches([frame.size for frame in frames]):
            here = self._locate_batch([frames[i] for i in batch], [nouns[i] for i in batch])
            found.update(zip(batch, here, strict=True))
        return [found[i] for i in range(len(frames))]

    def _locate_batch(self, frames: Sequence[Image], nouns: Sequence[Sequence[str]]) -> list[Detections]:
        import torch

        inputs = self._processor(
            images=[self._shrunk(frame.convert("RGB")) for frame in frames],
            text=self._texts(nouns),
            return_tensors="pt",
            truncation=True,
            **self._padding(),
        ).to(self._model.device)
        with torch.inference_mode():
            outputs = self._model(**inputs)
        sizes = [(frame.height, frame.width) for frame in frames]
        results = self._processor.post_process_grounded_object_detection(
            outputs, threshold=self.threshold, target_sizes=sizes
        )
        return [
            Detections.of(result["boxes"].float().cpu().numpy(), result["scores"].float().cpu().numpy(), frame.size)
            for result, frame in zip(results, frames, strict=True)
        ]

    def _shrunk(self, frame: Image) -> Image:
        """A frame that is longer than the square an OWL model reads, by Pillow down to that.

        The processor would blur and shrink it on its own, in 155 ms for 832 × 1216 on one core instead of 22, to
        nearly the same pixels (a mean difference of 0.003 where they have a standard deviation of 1.3).
        """
        size = getattr(self._processor.image_processor, "size", None)
        longest = getattr(size, "height", None) if self._kind == "owlv2" else None
        if longest is None or max(frame.size) <= longest:
            return frame
        factor = longest / max(frame.size)
        shape = (max(1, round(frame.width * factor)), max(1, round(frame.height * factor)))
        return frame.resize(shape, Resampling.BICUBIC, reducing_gap=3.0)

    def _texts(self, nouns: Sequence[Sequence[str]]) -> list[list[str]]:
        """For each frame as many texts, its last noun repeated: OWLv2 would take an empty one for a query."""
        most = max(len(words) for words in nouns)
        # a full stop divides Grounding DINO's texts
        lists = [[word.lower().replace(".", "") for word in words] for words in nouns]
        lists = [words + words[-1:] * (most - len(words)) for words in lists]
        if self._kind not in _OWL:
            return [list(dict.fromkeys(words)) for words in lists]
        return [[f"a photo of a {word}" for word in words] for words in lists]

    def _padding(self) -> dict[str, Any]:
        """How texts are made equally long: OWLv2 always reads all its 16 places."""
        if self._kind not in _OWL:
            return {"padding": True}
        return {"padding": "max_length", "max_length": self._model.config.text_config.max_position_embeddings}


def _batches(sizes: Sequence[tuple[int, int]]) -> list[list[int]]:
    """Indices of frames of one size, at most `BATCH` together: a frame padded to its neighbours' size gives others."""
    alike: dict[tuple[int, int], list[int]] = {}
    for index, size in enumerate(sizes):
        alike.setdefault(size, []).append(index)
    return [group[start : start + BATCH] for group in alike.values() for start in range(0, len(group), BATCH)]


def _folder_revision(folder: Path) -> str:
    """SHA-256 over the names and contents of the files that decide what the model finds."""
    names = sorted(path for pattern in ("*.json", "*.safetensors", "*.txt") for path in folder.glob(pattern))
    digest = hashlib.sha256()
    for path in names:
        digest.update(f"{path.name} {file_sha256(path)}\n".encode())
    return f"sha256:{digest.hexdigest()}"
