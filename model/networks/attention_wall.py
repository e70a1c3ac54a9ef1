"""Attention that does not cross a wall, in any transformer that calls torch's scaled dot-product attention.

timm and transformers both do. In the context of an `AttentionWall`, each such call over all tokens of the image is
answered here: the network's own code is neither changed nor known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, get_args

import torch
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from stackwalls.model.errors import InputError

WallKind = Literal["cut", "sink"]
"""cut: no attention across the wall, in either direction. sink: behind the wall, the seen side finds keys and values
that are the same for all images, so that attention may fall there, but brings nothing; the dead side sees everything.
"""

WALL_KINDS: tuple[WallKind, ...] = get_args(WallKind)

_ATTENTION = F.scaled_dot_product_attention


class AttentionTo(TorchFunctionMode):
    """A context that answers scaled dot-product attention over all `tokens` tokens by `attend`.

    Attributes:
        active: False lets every call through, as is needed behind the last block.
    """

    def __init__(self, tokens: int) -> None:
        super().__init__()
        self.tokens, self.active = tokens, True

    def attend(
        self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor | None, **options: Any
    ) -> torch.Tensor:
        """Attention of `(N, heads, tokens, d)` queries; `mask` is added to the scores."""
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
        *rest: Any,
        **options: Any,
    ) -> torch.Tensor:
        if not query.shape[-2] == key.shape[-2] == self.tokens or any(rest) or options.get("is_causal"):
            raise InputError(
                f"an attention of {query.shape[-2]} queries and {key.shape[-2]} keys is not one of all {self.tokens} "
                "tokens of the image"
            )
        options = {name: options[name] for name in ("scale", "enable_gqa") if name in options}
        return self.attend(query, key, value, attn_mask, **options)


class AttentionRecord(AttentionTo):
    """Attention as it is, and the keys and values of some tokens.

    Attributes:
        found: `(2, heads, tokens chosen, d)` of the first image, for each attention in order.
    """

    def __init__(self, chosen: torch.Tensor) -> None:
        super().__init__(len(chosen))
        self.chosen, self.found = chosen, list[torch.Tensor]()

    def attend(
        self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor | None, **options: Any
    ) -> torch.Tensor:
        """See `AttentionTo`."""
        self.found.append(torch.stack([key[0][..., self.chosen, :], value[0][..., self.chosen, :]]))
        return _ATTENTION(query, key, value, mask, **options)


class AttentionWall(AttentionTo):
    """Attention that carries nothing from the dead tokens to the seen ones.

    Prefix tokens (class, registers, distillation) count as seen. Positions were added before, so every token keeps its
    own. Both sides are computed apart, without a mask of all pairs.

    Args:
        dead: `(tokens,)` bool.
        kind: see `WallKind`.
        constants: `(attentions, 2, heads, dead tokens, d)`, the keys and values behind a sink.
    """

    def __init__(self, dead: torch.Tensor, kind: WallKind, constants: torch.Tensor | None = None) -> None:
        super().__init__(len(dead))
        self.kind, self.constants, self.calls = kind, constants, 0
        self.seen, self.dead = (~dead).nonzero()[:, 0], dead.nonzero()[:, 0]

    def attend(
        self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor | None, **options: Any
    ) -> torch.Tensor:
        """See `AttentionTo`."""
        everything = torch.arange(self.tokens, device=query.device)
        found = []
        for rows in (self.seen, self.dead):
            keys, values, columns = key, value, everything
            if self.kind == "cut":
                keys, values, columns = key[..., rows, :], value[..., rows, :], rows
            elif rows is self.seen and self.constants is not None:
                there = self.constants[self.calls].to(key)
                keys, values = (_replaced(old, self.dead, new) for old, new in zip((key, value), there, strict=True))
            part = None if mask is None else mask.expand(*mask.shape[:-2], self.tokens, self.tokens)[..., rows, :]
            part = None if part is None else part[..., columns]
            found.append(_ATTENTION(query[..., rows, :], keys, values, part, **options))
        self.calls += 1
        return torch.cat(found, -2)[..., torch.cat([self.seen, self.dead]).argsort(), :]


def _replaced(tokens: torch.Tensor, rows: torch.Tensor, content: torch.Tensor) -> torch.Tensor:
    """`(N, heads, tokens, d)` with other content in some rows, the same for all images."""
    return tokens.index_copy(tokens.ndim - 2, rows, content.expand(*tokens.shape[:-2], *content.shape[-2:]))
