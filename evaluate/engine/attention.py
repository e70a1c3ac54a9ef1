"""The methods that explain a vision transformer by its attention, from one forward pass.

Each takes an `Attended` pass and gives the raw map `(N, h, w)` of the patches. The token that is explained is the class
token, or the mean of the seen tokens where there is none. All read the attention weights as a network with a mask has
them: behind a wall that is *cut*, the weights across it are zero, but there is a gradient with respect to them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch

from stackwalls.evaluate.maps import Maps, Progress, normalized_maps
from stackwalls.evaluate.subject import Subject
from stackwalls.model import Attended, InputError, WalledTransformer, preserved
from stackwalls.model.runtime.device import stopwatch

Method = Callable[[WalledTransformer, Attended, torch.Tensor], torch.Tensor]


def _explained_rows(model: WalledTransformer, relevance: torch.Tensor) -> torch.Tensor:
    """Rows of `(N, tokens, tokens)` that are explained, as the map of the patches `(N, h, w)`."""
    rows = relevance[:, 0] if model.tokens.prefix else relevance[:, ~model.dead].mean(1)
    return _on_grid(model, rows)


def _on_grid(model: WalledTransformer, tokens: torch.Tensor) -> torch.Tensor:
    """`(N, tokens)` without the prefix tokens as `(N, h, w)`."""
    grid = model.tokens.grid
    return tokens[:, model.tokens.prefix :].reshape(len(tokens), grid, grid)


def last_attention(model: WalledTransformer, attended: Attended, targets: torch.Tensor) -> torch.Tensor:
    """The weights of the last block, mean over its heads (as Caron et al. 2021 show them)."""
    return _explained_rows(model, attended.weights[-1].detach().mean(1))


def attention_rollout(model: WalledTransformer, attended: Attended, targets: torch.Tensor) -> torch.Tensor:
    """Π_l (A_l + I) / 2, with A_l the mean over the heads of block l (Abnar and Zuidema 2020, Eq. 1)."""
    found = torch.eye(len(model.dead), device=model.dead.device)
    for weights in attended.weights:
        mean = weights.detach().mean(1)
        found = (mean + torch.eye(mean.shape[-1], device=mean.device)) / 2 @ found
    return _explained_rows(model, found)


def gradient_attention(model: WalledTransformer, attended: Attended, targets: torch.Tensor) -> torch.Tensor:
    """R ← R + Ā_l R from R = I, with Ā_l the mean over heads of ReLU(∇A_l ⊙ A_l).

    Source: Chefer, Gur, Wolf, "Generic Attention-model Explainability" (ICCV 2021), Eq. 5 and 6.
    """
    score = attended.logits.gather(1, targets[:, None]).sum()
    gradients = torch.autograd.grad(score, attended.weights, retain_graph=True)
    found = torch.eye(len(model.dead), device=model.dead.device).expand(len(targets), -1, -1)
    for weights, gradient in zip(attended.weights, gradients, strict=True):
        found = found + (gradient * weights.detach()).clamp_min(0).mean(1) @ found
    identity = torch.eye(found.shape[-1], device=found.device)
    return _explained_rows(model, found - identity)


def le_grad(model: WalledTransformer, attended: Attended, targets: torch.Tensor) -> torch.Tensor:
    """Σ_l of the mean over heads and queries of ReLU(∂s_l / ∂A_l), s_l the score of block l's mean token.

    Source: Bousselham et al. 2024 (https://arxiv.org/abs/2404.03214), Eq. 5 to 9; torch-cam's mean over blocks is the
    same map after min–max.
    """
    found = torch.zeros(len(targets), len(model.dead), device=model.dead.device)
    for weights, tokens in zip(attended.weights, attended.outputs, strict=True):
        score = model.project(tokens.mean(1)).gather(1, targets[:, None]).sum()
        (gradient,) = torch.autograd.grad(score, weights, retain_graph=True)
        found += gradient.clamp_min(0).mean((1, 2))
    return _on_grid(model, found)


ATTENTION_METHODS: dict[str, Method] = {
    "Rollout": attention_rollout,
    "LastAttention": last_attention,
    "GradientAttention": gradient_attention,
    "LeGrad": le_grad,
}
"""Method name → raw map from one pass with its attention."""


class AttentionExplainer:
    """Some of `ATTENTION_METHODS` as an `Explainer`, all from one forward pass; `methods` names their rows.

    Raises:
        InputError: if the network is not a `WalledTransformer` with one attention in each block.
    """

    max_batch = None

    def __init__(self, subject: Subject, methods: Mapping[str, str]) -> None:
        if not isinstance(subject.model, WalledTransformer):
            raise InputError(
                f"{' and '.join(methods.values())} explains a vision transformer by its attention: expected one behind "
                f"a wall, such as walled:vit_tiny_patch16_224, but got {subject.name}."
            )
        self.model, self.methods, self._kinds = subject.model, tuple(methods), dict(methods)

    def explain(
        self, images: torch.Tensor, targets: Sequence[int], methods: Sequence[str], progress: Progress | None = None
    ) -> dict[str, Maps]:
        """See `Explainer`."""
        chosen = torch.as_tensor(list(targets), device=images.device)
        found = {}
        with preserved(self.model) as model, torch.enable_grad():
            model.requires_grad_(False)
            with stopwatch(images.device) as shared:
                attended = self.model.attended(images.detach().requires_grad_(True))
            for name in methods:
                with stopwatch(images.device) as own:
                    raw = ATTENTION_METHODS[self._kinds[name]](self.model, attended, chosen).detach()
                    maps = normalized_maps(raw, images.shape[-1])
                seconds = (shared.seconds + own.seconds) / len(images)
                found[name] = Maps(maps.cpu().numpy(), raw.cpu().numpy(), seconds=seconds)
        return found
