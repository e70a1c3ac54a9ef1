"""`ZeroShot`: zero-shot detection with transformers; `load_localizer`: a localizer by name, repository or folder."""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL.Image import Resampling

from stackwalls.model import (
    HubId,
    InputError,
    StackwallsError,
    first_line,
    hub_failures,
    model_revision,
    no_remote_code,
)
from stackwalls.stackgen.localizing.foreground import Foreground
from stackwalls.stackgen.localizing.localizer import Detections, Localizer, check_nouns

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image

LOCALIZERS: dict[str, str | None] = {
    "owlv2": "google/owlv2-base-patch16-ensemble",
    "owlv2-large": "google/owlv2-large-patch14-ensemble",
    "grounding-dino": "IDEA-Research/grounding-dino-base",
    "foreground": None,
}
"""Name → repository on the Hub (all Apache-2.0); None: no weights. `owlv2` is the default for photographs,
`foreground` for images with a plain or calm background."""

BATCH = 8  # frames per forward pass, all of one size
_OWL = ("owlvit", "owlv2")  # model types trained with one query per noun, a sentence of at most 16 tokens
# lowest scores, by model type: above 0.15, OWLv2's boxes are objects rather than texture …
_THRESHOLDS = {"owlvit": 0.10, "owlv2": 0.15}
_THRESHOLD = 0.25  # … and for all others, Grounding DINO's own default
_FILES = ["*.json", "*.txt", "*.model", "*.safetensors"]  # never a pickle or a program


def load_localizer(name: str, device: str = "cpu") -> Localizer:
    """Load a localizer by name, by repository (`owner/name[@revision]`) or from a folder.

    Args:
        name: one of `LOCALIZERS`, or the repository or folder of a zero-shot object detection model.
        device: where it runs, as torch names it; `foreground` always runs on the CPU.

    Raises:
        InputError: if the name is unknown, or there is no such model, or it is for another task.
        RunError: if the Hub refuses access or cannot be reached.
    """
    if name == "foreground":
        return Foreground()
    repository = LOCALIZERS.get(name)
    if repository is None and not Path(name).is_dir() and "/" not in name:
        near = difflib.get_close_matches(name, LOCALIZERS, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise InputError(
            f"Unknown localizer {name!r}: expected {', '.join(LOCALIZERS)}, owner/name of a zero-shot detection model "
            f"on the Hugging Face Hub, or a folder that contains one.{hint}"
        )
    return ZeroShot.load(repository or name, device, name=name)


class ZeroShot:
    """A zero-shot detector (OWLv2, Grounding DINO, …), always in single precision.

    All nouns of a frame are queried together. Texts longer than the model reads (16 tokens with OWLv2) are truncated,
    which a `UserWarning` says once.

    Attributes:
        name: as the user gave it.
        revision: the commit on the Hub, or "sha256:…" over the configuration and the weights of a folder.
        threshold: boxes with a lower score are dropped.
    """

    def __init__(self, model: Any, processor: Any, name: str, revision: str | None) -> None:
        self.name, self.revision = name, revision
        self._model, self._processor = model, processor
        self._kind = str(model.config.model_type)
        self.threshold = _THRESHOLDS.get(self._kind, _THRESHOLD)
        self._warned = False

    @classmethod
    def load(cls, source: str, device: torch.device | str = "cpu", name: str | None = None) -> ZeroShot:
        """Load a model from a folder, or from `owner/name[@revision]` on the Hub; raises as `load_localizer`."""
        import torch
        from transformers import AutoModelForZeroShotObjectDetection, AutoProcessor

        folder = Path(source) if Path(source).is_dir() else _fetch(source)
        try:
            with no_remote_code(source):
                processor = AutoProcessor.from_pretrained(  # type: ignore[no-untyped-call]
                    folder, trust_remote_code=False
                )
                model = AutoModelForZeroShotObjectDetection.from_pretrained(
                    folder, dtype=torch.float32, use_safetensors=True, trust_remote_code=False
                )
        except StackwallsError:
            raise
        except Exception as error:  # transformers raises errors of many kinds for the files of others
            raise InputError(
                f"{source} is not a zero-shot object detection model of transformers with a processor and safetensors "
                f"weights: {first_line(error)}."
            ) from error
        if not hasattr(processor, "post_process_grounded_object_detection"):
            raise InputError(f"{source} has no processor for zero-shot object detection: expected a complete model.")
        revision = model_revision(folder) if Path(source).is_dir() else folder.name
        return cls(model.to(device).eval(), processor, name or source, revision)

    def locate(self, frames: Sequence[Image], nouns: Sequence[Sequence[str]]) -> list[Detections]:
        """Detect the nouns in each frame; see `Localizer`."""
        check_nouns(frames, nouns)
        alike: dict[tuple[int, int], list[int]] = {}  # padding a frame to its neighbors' size would change its boxes
        for index, frame in enumerate(frames):
            alike.setdefault(frame.size, []).append(index)
        found: dict[int, Detections] = {}
        for batch in (group[at : at + BATCH] for group in alike.values() for at in range(0, len(group), BATCH)):
            here = self._locate_batch([frames[i] for i in batch], [nouns[i] for i in batch])
            found.update(zip(batch, here, strict=True))
        return [found[i] for i in range(len(frames))]

    def _locate_batch(self, frames: Sequence[Image], nouns: Sequence[Sequence[str]]) -> list[Detections]:
        import torch

        texts = self._texts(nouns)
        inputs = self._processor(
            images=[self._shrunk(frame.convert("RGB")) for frame in frames],
            text=texts,
            return_tensors="pt",
            truncation=True,
            **self._padding(),
        ).to(self._model.device)
        self._warn_of_cuts(texts, inputs["input_ids"].shape[1])
        with torch.inference_mode():
            outputs = self._model(**inputs)
        results = self._processor.post_process_grounded_object_detection(
            outputs, threshold=self.threshold, target_sizes=[frame.size[::-1] for frame in frames]
        )
        return [
            Detections.of(result["boxes"].float().cpu().numpy(), result["scores"].float().cpu().numpy(), frame.size)
            for result, frame in zip(results, frames, strict=True)
        ]

    def _warn_of_cuts(self, texts: Sequence[Sequence[str]], limit: int) -> None:
        """Say once which words of a text the model does not read, if `limit` tokens are fewer than it has."""
        from stackwalls.stackgen.diffusion.reading import unread

        tokenizer = self._processor.tokenizer
        limit = min(limit, getattr(self._model.config, "max_text_len", limit))
        # OWLv2 gets text by text, all others a frame's texts in one
        for text in dict.fromkeys(t for words in texts for t in (words if self._kind in _OWL else [". ".join(words)])):
            tokens = len(tokenizer(text, verbose=False)["input_ids"])
            if tokens > limit and not self._warned:
                self._warned = True
                fitting = limit - tokenizer.num_special_tokens_to_add()
                warnings.warn(
                    f"The detector {self.name} reads {limit} of the {tokens} tokens of “{text:.60}” and not "
                    f"“{unread(tokenizer, text, fitting)}”: it may find something else. Use a shorter class name.",
                    UserWarning,
                    stacklevel=2,
                )

    def _shrunk(self, frame: Image) -> Image:
        """Shrink a frame that is larger than OWLv2's input, with Pillow.

        The processor's own blur and resize takes 155 ms for 832 × 1216 on one core instead of 22, for nearly the same
        pixels (a mean difference of 0.003 at a standard deviation of 1.3).
        """
        size = getattr(self._processor.image_processor, "size", None)
        longest = getattr(size, "height", None) if self._kind == "owlv2" else None
        if longest is None or max(frame.size) <= longest:
            return frame
        factor = longest / max(frame.size)
        shape = (max(1, round(frame.width * factor)), max(1, round(frame.height * factor)))
        return frame.resize(shape, Resampling.BICUBIC, reducing_gap=3.0)

    def _texts(self, nouns: Sequence[Sequence[str]]) -> list[list[str]]:
        # Grounding DINO's texts are separated by full stops
        lists = [[word.lower().replace(".", "") for word in words] for words in nouns]
        if self._kind not in _OWL:
            return [list(dict.fromkeys(words)) for words in lists]
        # the same number of texts for each frame: its last noun is repeated, as OWLv2 would query an empty text
        most = max(map(len, lists))
        return [[f"a photo of a {word}" for word in words + words[-1:] * (most - len(words))] for words in lists]

    def _padding(self) -> dict[str, Any]:
        """How the tokenizer pads: OWLv2 always reads 16 tokens."""
        if self._kind not in _OWL:
            return {"padding": True}
        return {"padding": "max_length", "max_length": self._model.config.text_config.max_position_embeddings}


def _fetch(source: str) -> Path:
    """Download `owner/name[@revision]`, or find it in the cache; the folder's name is the commit."""
    # not left to transformers, which requests the files one by one, and retries each for 23 s without a connection
    from huggingface_hub import snapshot_download

    found = HubId.parse(source)
    if found is None or found.split is not None:
        raise InputError(f"There is no folder {source}, and it is not owner/name[@revision] either.")
    otherwise = "pass a folder that contains one, or use the localizer 'foreground', which needs no weights"
    with hub_failures("load the detector", "model", found.repository, found.revision, otherwise=otherwise):
        return Path(snapshot_download(found.repository, revision=found.revision, allow_patterns=_FILES))
