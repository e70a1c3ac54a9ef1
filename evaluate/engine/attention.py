"""The methods that explain a vision transformer by its attention, from one forward pass.

Each takes an `Attended` pass and gives the raw map `(N, h, w)` of the patches. The token that is explained is the class
token, or the mean of the seen tokens where there is none. All read the attention weights as a network with a mask has
them: behind a wall that is *cut*, the weights across it are zero, but there is a gradient with respect to them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass

import torch

from stackwalls.evaluate.engine.engine import EngineExplainer, SharedPass
from stackwalls.evaluate.maps import Maps, Progress, normalized_maps
from stackwalls.evaluate.subject import Subject
from stackwalls.model import Attended, InputError, WalledTransformer, is_out_of_memory, preserved
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
    means = [tokens.mean(1) for tokens in attended.outputs]
    # the scores' gradients with respect to the mean tokens of all blocks, by one pass of the head
    leaf = torch.cat(means).detach().requires_grad_(True)
    scores = model.project(leaf).gather(1, targets.repeat(len(means))[:, None])
    (downward,) = torch.autograd.grad(scores.sum(), leaf)
    found = torch.zeros(len(targets), len(model.dead), device=model.dead.device)
    for weights, mean, gradient in zip(attended.weights, means, downward.chunk(len(means)), strict=True):
        (own,) = torch.autograd.grad(mean, weights, gradient, retain_graph=True)
        found += own.clamp_min(0).mean((1, 2))
    return _on_grid(model, found)


ATTENTION_METHODS: dict[str, Method] = {
    "Rollout": attention_rollout,
    "LastAttention": last_attention,
    "GradientAttention": gradient_attention,
    "LeGrad": le_grad,
}
"""Method name → raw map from one pass with its attention."""

_DIFFERENTIATING = {"GradientAttention", "LeGrad"}
"""Those that need gradients; the others need the mean of the weights over the heads only."""


@dataclass(frozen=True, eq=False)
class AttentionPass:
    """The forward pass of a batch, for the predictions and all maps, and its seconds per image."""

    attended: Attended
    seconds: float


class AttentionExplainer:
    """Some of `ATTENTION_METHODS` as an `Explainer`, all from one forward pass; `methods` names their rows.

    Raises:
        InputError: if the network is not a `WalledTransformer` with one attention in each block.
    """

    max_batch = None

    def __init__(self, subject: Subject, methods: Mapping[str, str]) -> None:
        who = " and ".join(methods.values())
        if not isinstance(subject.model, WalledTransformer):
            raise InputError(
                f"{who} explains a vision transformer by its attention: expected one behind a wall, such as "
                f"walled:vit_tiny_patch16_224, but got {subject.name}."
            )
        if (attentions := subject.model.attentions) != 1:
            found = f"{attentions}" if attentions else "none that can be read"
            raise InputError(
                f"{who} needs one attention in each block, but {subject.name} has {found}: leave it out, or take "
                "another network."
            )
        self.model, self.methods, self._kinds = subject.model, tuple(methods), dict(methods)
        self.shared: AttentionPass | None = None

    def from_pass(self, shared: AttentionPass) -> AttentionExplainer:
        """The explainer for the images of one forward pass; without it, each call makes its own."""
        explainer = copy(self)
        explainer.shared = shared
        return explainer

    def forward(self, images: torch.Tensor, methods: Sequence[str]) -> AttentionPass:
        """The forward pass of `(N, 3, H, W)` images, with what these methods need and no more."""
        kinds = {self._kinds[name] for name in methods}
        first = -1 if kinds == {"LastAttention"} else 0
        with preserved(self.model) as model, stopwatch(images.device) as time:
            model.requires_grad_(False)
            with torch.set_grad_enabled(not kinds.isdisjoint(_DIFFERENTIATING)):
                attended = self.model.attended(images, first % len(self.model.tokens.blocks))
        return AttentionPass(attended, time.seconds / len(images))

    def image_bytes(self) -> int:
        """What the pass of an image and the maps from it keep in memory, by one such pass.

        That is all that the backward passes read, or else the mean attention, and the gradients of every weight.
        """
        size, kept = self.model.image_size, dict[int, int]()
        own = {tensor.untyped_storage().data_ptr() for tensor in self.model.state_dict().values()}

        def note(tensor: torch.Tensor) -> torch.Tensor:
            kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            found = self.forward(torch.zeros(1, 3, size, size, device=self.model.dead.device), self.methods).attended
        for tensor in (*found.weights, *found.outputs):
            note(tensor)
        gradients = sum(weights.nbytes for weights in found.weights if weights.requires_grad)
        return gradients + sum(size for place, size in kept.items() if place not in own)

    def explain(
        self, images: torch.Tensor, targets: Sequence[int], methods: Sequence[str], progress: Progress | None = None
    ) -> dict[str, Maps]:
        """See `Explainer`."""
        shared = self.shared or self.forward(images, methods)
        chosen, found = torch.as_tensor(list(targets), device=images.device), {}
        with preserved(self.model) as model, torch.enable_grad():
            model.requires_grad_(False)
            for name in methods:
                with stopwatch(images.device) as own:
                    raw = ATTENTION_METHODS[self._kinds[name]](self.model, shared.attended, chosen).detach()
                    maps = normalized_maps(raw, images.shape[-1])
                seconds = shared.seconds + own.seconds / len(images)
                found[name] = Maps(maps.cpu().numpy(), raw.cpu().numpy(), seconds=seconds)
        return found


def by_attention(subject: Subject, names: Sequence[str]) -> list[AttentionExplainer]:
    """The explainer of those of these methods that explain by attention; none if there are none."""
    own = {name: name for name in names if name in ATTENTION_METHODS}
    return [AttentionExplainer(subject, own)] if own else []


def shared_passes(
    inputs: torch.Tensor,
    engine: EngineExplainer | None,
    attention: Callable[[torch.Tensor], AttentionPass] | None,
) -> tuple[list[AttentionPass], SharedPass | None]:
    """One forward pass for both; if memory does not suffice to keep its attention, the engine's alone."""
    if attention is not None:
        try:
            own = attention(inputs)
            return [own], engine.continuing(own.attended.parts, own.seconds) if engine else None
        except Exception as error:
            if not is_out_of_memory(error):
                raise
    return [], engine.forward(inputs) if engine else None
