"""Attention that does not cross a wall, in any transformer that calls torch's scaled dot-product attention.

timm and transformers both do. In the context of an `AttentionWall`, each such call over all tokens of the image is
answered here: the network's own code is neither changed nor known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from stackwalls.model.errors import InputError
from stackwalls.model.networks.blind_model import WallKind

_ATTENTION = F.scaled_dot_product_attention


class _Side(NamedTuple):
    """The queries of one side of the wall, and what they find."""

    rows: torch.Tensor  # numbers of its tokens
    keys: torch.Tensor  # (N, heads, tokens, d), as are the values
    values: torch.Tensor
    columns: torch.Tensor  # numbers of the tokens that it may attend to


class AttentionTo(TorchFunctionMode):
    """A context that answers scaled dot-product attention over all `tokens` tokens by `attend`.

    Attributes:
        active: False lets every call through, as is needed behind the last block.
        calls: how many were answered.
    """

    def __init__(self, tokens: int) -> None:
        super().__init__()
        self.tokens, self.active, self.calls = tokens, True, 0

    def attend(
        self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor | None, scale: float
    ) -> torch.Tensor:
        """Attention of `(N, heads, tokens, d)` queries; `mask` is added to the scaled scores."""
        raise NotImplementedError

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Answer attention; let everything else through."""
        if func is not _ATTENTION or not self.active:
            return func(*args, **(kwargs or {}))
        return self._answered(*args, **(kwargs or {}))

    def _answered(
        self,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        attn_mask: torch.Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        scale: float | None = None,
        enable_gqa: bool = False,
    ) -> torch.Tensor:
        if not query.shape[-2] == key.shape[-2] == self.tokens or dropout_p or is_causal or enable_gqa:
            raise InputError(
                f"an attention of {query.shape[-2]} queries and {key.shape[-2]} keys is not a plain one of all "
                f"{self.tokens} tokens of the image"
            )
        if attn_mask is not None and attn_mask.dtype == torch.bool:
            attn_mask = torch.zeros_like(attn_mask, dtype=query.dtype).masked_fill(~attn_mask, -torch.inf)
        return self.attend(query, key, value, attn_mask, query.shape[-1] ** -0.5 if scale is None else scale)


class AttentionRecord(AttentionTo):
    """Attention as it is, and the keys of some tokens on the first image.

    Attributes:
        keys: `(heads, tokens chosen, d)` for each attention in order.
    """

    def __init__(self, chosen: torch.Tensor) -> None:
        super().__init__(len(chosen))
        self.chosen, self.keys = chosen, list[torch.Tensor]()

    def attend(
        self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor | None, scale: float
    ) -> torch.Tensor:
        """See `AttentionTo`."""
        self.keys.append(key[0][..., self.chosen, :])
        return _ATTENTION(query, key, value, mask, scale=scale)


class AttentionWall(AttentionTo):
    """Attention that carries nothing from the dead tokens to the seen ones.

    Prefix tokens (class, registers, distillation) count as seen. Positions were added before, so every token keeps its
    own. Each side is computed by itself, without a mask of all pairs.

    Args:
        dead: `(tokens,)` bool.
        kind: "sink", or no attention across the wall.
        keys: `(attentions, heads, dead tokens, d)` behind a sink.
        weights: gets the attention weights `(N, heads, tokens, tokens)` of each call, differentiable, if it is a list;
            without gradients, their mean over the heads `(N, 1, tokens, tokens)`. All are computed then, zeros across
            the wall included, as a network with a mask has them.
        first: the calls before this one give no weights.
    """

    def __init__(
        self,
        dead: torch.Tensor,
        kind: WallKind,
        keys: torch.Tensor | None = None,
        weights: list[torch.Tensor] | None = None,
        first: int = 0,
    ) -> None:
        super().__init__(len(dead))
        self.kind, self.keys, self.weights, self.first = kind, keys, weights, first
        self._across = dead[:, None] != dead
        self.seen, self.dead = (~dead).nonzero()[:, 0], dead.nonzero()[:, 0]
        self._back = torch.cat([self.seen, self.dead]).argsort()

    def attend(
        self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor | None, scale: float
    ) -> torch.Tensor:
        """See `AttentionTo`."""
        if not len(self.dead) and self.weights is None:  # the network itself
            return _ATTENTION(query, key, value, mask, scale=scale)
        sides = list(self._sides(key, value))
        self.calls += 1
        if mask is not None:
            mask = mask.expand(*mask.shape[:-2], self.tokens, self.tokens)
        if self.weights is None or self.calls <= self.first:
            return self._found(query, sides, mask, scale)
        weights = self._weights(query, key, sides[0], mask, scale)
        with torch.no_grad():
            found = self._found(query, sides, mask, scale)
        if not torch.is_grad_enabled():
            self.weights.append(weights.mean(1, keepdim=True))
            return found
        if not weights.requires_grad:
            weights.requires_grad_()  # the first ones: no gradient goes on to the image
        self.weights.append(weights)
        by_weights = weights @ sides[0].values
        if self.kind == "sink":  # and the values
            own = weights[..., self.dead, :][..., self.dead] @ value[..., self.dead, :]
            by_weights = by_weights.index_add(-2, self.dead, own)
        # to the last bit what is found without the weights, with their gradient
        return found + (by_weights - by_weights.detach())

    def _found(
        self, query: torch.Tensor, sides: Sequence[_Side], mask: torch.Tensor | None, scale: float
    ) -> torch.Tensor:
        """What all queries find, without weights of pairs."""
        found = []
        for rows, keys, values, columns in sides:
            part = None if mask is None else mask[..., rows, :][..., columns]
            keys, values = keys[..., columns, :], values[..., columns, :]
            found.append(_ATTENTION(query[..., rows, :], keys, values, part, scale=scale))
        return torch.cat(found, -2)[..., self._back, :]

    def _weights(
        self, query: torch.Tensor, key: torch.Tensor, seen: _Side, mask: torch.Tensor | None, scale: float
    ) -> torch.Tensor:
        """Of all pairs."""
        query = query * scale
        scores = query @ seen.keys.transpose(-1, -2)
        if self.kind == "sink":  # the dead tokens find the keys of their own image
            scores = scores.index_copy(-2, self.dead, query[..., self.dead, :] @ key.transpose(-1, -2))
        if mask is not None:
            scores = scores + mask
        if self.kind == "cut":
            scores = scores.masked_fill(self._across, -torch.inf)
        return scores.softmax(-1)

    def _sides(self, key: torch.Tensor, value: torch.Tensor) -> Iterator[_Side]:
        if self.kind != "sink":
            yield _Side(self.seen, key, value, self.seen)
            yield _Side(self.dead, key, value, self.dead)
            return
        everything = torch.arange(self.tokens, device=key.device)
        there = key.new_zeros(()) if self.keys is None else self.keys[self.calls].to(key)
        keys = key.index_copy(key.ndim - 2, self.dead, there.expand(*key.shape[:-2], len(self.dead), key.shape[-1]))
        yield _Side(self.seen, keys, value.index_fill(value.ndim - 2, self.dead, 0), everything)
        yield _Side(self.dead, key, value, everything)


def with_torchs_attention(network: nn.Module) -> nn.Module:
    """The network, told to call torch's attention where it has the choice."""
    choose = getattr(network, "set_attn_implementation", None)  # transformers
    if choose is not None:
        choose("sdpa")
    for module in network.modules():
        if hasattr(module, "fused_attn"):  # timm
            vars(module)["fused_attn"] = True
    return network
