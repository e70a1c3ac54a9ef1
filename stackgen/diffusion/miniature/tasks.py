"""What is trained: `DecoderTask` and `DenoiserTask`, and their loop `TaskLoop`."""

import copy
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from stackwalls.model.runtime.device import memory_errors
from stackwalls.model.training import Running, StepLoop
from stackwalls.stackgen.diffusion.miniature.examples import HEIGHT, WIDTH, draw_frame, is_stacked, sentences_of
from stackwalls.stackgen.diffusion.miniature.networks import PATCH, SCALING, Projection
from stackwalls.stackgen.diffusion.miniature.spec import MiniatureSpec

# learning rate; a longer training changes nothing before the last part
_WARM_UP = 200  # steps in which it rises
_FALL = 0.35  # share of the steps, at the end, in which it falls linearly …
_LAST = 0.02  # … to this share of the highest

_AVERAGE = 0.999  # share of the averaged weights that a step keeps

# of the decoder
_BATCH = 16  # crops per step and process
_CROP = 6  # side of a crop in latent positions: 96 pixels
_CROPS = 4  # of one drawn frame: drawing costs a quarter of what learning from a crop does
_NOISE = 0.08  # largest standard deviation on the latents (their own is 0.5), since the denoiser's are not exact
_EDGES = 0.5  # weight of the differences between neighboring pixels, relative to the pixels
_FRAMES = 1 << 20  # number of frames to choose from, numbered after those of the denoiser

# of the denoiser: share of frames without their prompt, for classifier-free guidance (Ho and Salimans 2022)
_WITHOUT_PROMPT = 0.1


def rate_at(step: int, steps: int) -> float:
    """The learning rate of a step, counted from 0, relative to the highest."""
    return min((step + 1) / _WARM_UP, max(_LAST, min(1.0, (steps - step) / (_FALL * steps))))


class TaskLoop(StepLoop):
    """Trains a module whose `forward(generator)` returns the loss of this process's share of a batch.

    Everything random in a step comes from a generator seeded by the seed, the step and the process.

    Attributes:
        task: trained in place.
        average: the same module with exponentially averaged weights: the result.
    """

    clip_norm = 1.0

    def __init__(
        self,
        task: nn.Module,
        folder: Path,
        described: dict[str, Any],
        steps: int,
        spec: MiniatureSpec,
        report: Callable[[str], None],
    ) -> None:
        super().__init__(folder, Running(log_steps=100, checkpoint_minutes=2), "auto", report)
        self.task, self.described, self.steps, self._spec = task, described, steps, spec
        parameters = [each for each in task.parameters() if each.requires_grad]
        optimizer = torch.optim.AdamW(parameters, spec.learning_rate, betas=(0.9, 0.99), weight_decay=1e-2, fused=True)
        self.average = copy.deepcopy(task).requires_grad_(False).to(self.accelerator.device)
        self.prepare(task, optimizer, self.find_checkpoint())

    def run(self) -> None:
        """Take all remaining steps."""
        with memory_errors("Out of memory. Lower --batch-size, or use more processes."):
            super().run()
        self.average.eval()

    def learning_rate(self, step: int) -> float:
        """Rises, stays at the highest, falls."""
        return self._spec.learning_rate * rate_at(step, self.steps)

    def loss(self, part: int) -> torch.Tensor:
        """The loss of this process's share of the batch."""
        number = (self._spec.seed * 1_000_003 + self.progress.step) * 1_009 + self.accelerator.process_index
        with self.accelerator.autocast():
            loss: torch.Tensor = self.wrapped(torch.Generator().manual_seed(number))
        return loss

    def after_update(self) -> None:
        """Move the averaged weights toward the new ones; quickly at first, when the old ones are random."""
        kept = min(_AVERAGE, self.progress.step / (self.progress.step + 20))
        update: Any = get_ema_multi_avg_fn(kept)  # type: ignore[no-untyped-call]
        update(list(self.average.parameters()), list(self.task.parameters()), None)

    def state(self) -> dict[str, Any]:
        """The weights and their averages."""
        return {"module": self.task.state_dict(), "average": self.average.state_dict()}

    def load_state(self, state: dict[str, Any]) -> None:
        """Restore both."""
        self.task.load_state_dict(state["module"])
        self.average.load_state_dict(state["average"])

    def log(self) -> None:
        """Write a line: the mean loss since the previous one, and the speed."""
        loss, speed = self.progress.mean_pending(), self.steps_per_second()
        self.write_line({"loss": round(loss, 5), "steps_per_second": round(speed, 3)})
        self.report(f"step {self.progress.step} of {self.steps}, loss {loss:.4f}, {speed:.2f} steps/s")


class DecoderTask(nn.Module):
    """The decoder of an autoencoder learns to draw frames of these classes from their latents (`projection`)."""

    def __init__(self, autoencoder: Any, projection: Projection, labels: Sequence[int]) -> None:
        super().__init__()
        self.decoder = autoencoder.decoder.to(memory_format=torch.channels_last)
        self._projection, self._labels = projection, list(labels)

    def forward(self, generator: torch.Generator) -> torch.Tensor:
        """Mean absolute error of pixels in [-1, 1], and of differences between neighbors, over one batch."""
        device = next(self.decoder.parameters()).device
        images = self._crops(generator)
        latents = self._projection(images)  # (16, 16, 6, 6)
        strength = _NOISE * torch.rand(len(latents), 1, 1, 1, generator=generator)
        latents = latents + strength * torch.randn(latents.shape, generator=generator)
        wanted = (2 * images - 1).to(device)
        drawn = self.decoder(latents.to(device).contiguous(memory_format=torch.channels_last)).float()
        off = drawn - wanted
        edges = off.diff(dim=2).abs().mean() + off.diff(dim=3).abs().mean()
        loss: torch.Tensor = off.abs().mean() + _EDGES * edges
        return loss

    def _crops(self, generator: torch.Generator) -> torch.Tensor:
        """`(16, 3, 96, 96)` float32 in [0, 1]."""
        crops = []
        for _ in range(_BATCH // _CROPS):
            which, number = (int(torch.randint(high, (), generator=generator)) for high in (len(self._labels), _FRAMES))
            image = draw_frame(self._labels[which], _FRAMES + number)
            for _ in range(_CROPS):
                y, x = (
                    PATCH * int(torch.randint(side // PATCH - _CROP + 1, (), generator=generator))
                    for side in (HEIGHT, WIDTH)
                )
                crops.append(image[y : y + _CROP * PATCH, x : x + _CROP * PATCH])
        return torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).float() / 255.0


class DenoiserTask(nn.Module):
    """Text encoder and denoiser learn which latents a prompt asks for, at the noise levels of the scheduler.

    The latents are `(per_class * classes, 16, h, w)` float16, in the order of `examples.frames`; a step takes `batch`
    of them per process.
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
            from diffusers.models.attention_processor import AttnProcessor

            # two products and a softmax: on a CPU, torch's fused attention takes many times as long backward
            denoiser.set_attn_processor(AttnProcessor())
        self._latents, self._classes, self._batch = latents, len(labels), batch
        self._levels: torch.Tensor = scheduler.alphas_cumprod
        self._prompts = [sentences_of(label) for label in labels]
        texts = ["", *(text for prompts in self._prompts for kind in prompts for text in kind)]
        self._rows = {text: row for row, text in enumerate(texts)}
        found = tokenizer(texts, padding="max_length", truncation=True, return_tensors="pt")
        self._tokens: torch.Tensor = found.input_ids

    def forward(self, generator: torch.Generator) -> torch.Tensor:
        """Mean squared error of the velocity; frames, prompts, noise levels and noise follow from the generator."""
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
        label, frame = number % self._classes, number // self._classes
        texts = self._prompts[label][is_stacked(frame)]
        return self._rows[texts[int(torch.randint(len(texts), (), generator=generator))]]
