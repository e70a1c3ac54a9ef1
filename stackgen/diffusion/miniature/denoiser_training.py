"""`DenoiserTask`: text encoder and denoiser learn which latents a prompt asks for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from stackwalls.stackgen.diffusion.miniature.pictures import SINGLE_SHARE
from stackwalls.stackgen.diffusion.miniature.projection import SCALING
from stackwalls.stackgen.diffusion.miniature.sentences import sentences_of

_WITHOUT_PROMPT = 0.1
"""Share of the frames that come without their prompt, for classifier-free guidance (Ho and Salimans 2022)."""


def _plain_attention() -> Any:
    """Attention as two products and a softmax: on a CPU, torch's fused one takes many times as long backwards."""
    from diffusers.models.attention_processor import AttnProcessor

    return AttnProcessor()


class DenoiserTask(nn.Module):
    """Text encoder, denoiser, and the loss of one batch: the mean square of the velocity's error.

    Args:
        tokenizer: from sentences to token numbers.
        text_encoder: from token numbers to embeddings.
        denoiser: the UNet.
        scheduler: whose noise levels are learnt.
        latents: `(per_class * classes, 16, h, w)` float16 of frames, the classes in turn (see `pictures.frames`).
        labels: the classes.
        batch: frames of a step and process.
    """

    def __init__(
        self,
        tokenizer: Any,
        text_encoder: Any,
        denoiser: Any,
        scheduler: Any,
        latents: NDArray[np.float16],
        labels: Sequence[int],
        batch: int,
    ) -> None:
        super().__init__()
        self.text_encoder = text_encoder
        self.denoiser = denoiser.to(memory_format=torch.channels_last)
        if not torch.cuda.is_available():
            denoiser.set_attn_processor(_plain_attention())
        self._latents, self._classes, self._batch = latents, len(labels), batch
        self._levels: torch.Tensor = scheduler.alphas_cumprod
        self._prompts = [sentences_of(label) for label in labels]
        texts = ["", *(text for each in self._prompts for text in (*each.single, *each.stacked))]
        self._where = {text: row for row, text in enumerate(texts)}
        found = tokenizer(texts, padding="max_length", truncation=True, return_tensors="pt")
        self._tokens: torch.Tensor = found.input_ids

    def forward(self, generator: torch.Generator) -> torch.Tensor:
        """The loss of frames, prompts, noise levels and noise that follow from the generator."""
        device = next(self.denoiser.parameters()).device
        chosen = torch.randint(len(self._latents), (self._batch,), generator=generator)
        clean = SCALING * torch.from_numpy(self._latents[chosen.numpy()]).float()
        prompts = self._tokens[[self._prompt(int(number), generator) for number in chosen]]
        times = torch.randint(len(self._levels), (self._batch,), generator=generator)
        level = self._levels[times][:, None, None, None]
        noise = torch.randn(clean.shape, generator=generator)
        noisy = level.sqrt() * clean + (1 - level).sqrt() * noise
        velocity = level.sqrt() * noise - (1 - level).sqrt() * clean
        embedded = self.text_encoder(prompts.to(device)).last_hidden_state
        noisy = noisy.to(device).contiguous(memory_format=torch.channels_last)
        found = self.denoiser(noisy, times.to(device), embedded, return_dict=False)[0]
        loss: torch.Tensor = (found.float() - velocity.to(device)).square().mean()
        return loss

    def _prompt(self, number: int, generator: torch.Generator) -> int:
        """The row of a random prompt of a frame."""
        if float(torch.rand((), generator=generator)) < _WITHOUT_PROMPT:
            return 0
        sentences = self._prompts[number % self._classes]
        texts = sentences.stacked if (number // self._classes) % SINGLE_SHARE else sentences.single
        return self._where[texts[int(torch.randint(len(texts), (), generator=generator))]]
