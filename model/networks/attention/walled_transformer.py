"""A wall for vision transformers: attention that does not cross it, and a head that reads one side.

Nothing of the network's code is known but that it calls torch's scaled dot-product attention, and that its blocks pass
`(N, tokens, C)` on: prefix tokens, then one row of patches after the other. Whatever is assumed wrongly leaks, and
fails the certificate.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import nn

from stackwalls.model.errors import InputError, reason_of
from stackwalls.model.networks.attention.attention_wall import (
    AttentionRecord,
    AttentionTo,
    AttentionWall,
    with_torchs_attention,
)
from stackwalls.model.networks.attention.image_tokens import as_tokens, wall_on_patches
from stackwalls.model.networks.backbones.backbone import Backbone
from stackwalls.model.networks.backbones.splitting import logits_of
from stackwalls.model.networks.blind_model import OR_A_CURTAIN, WallKind
from stackwalls.model.networks.layered_model import LAST, Layer, unknown_layer
from stackwalls.model.networks.walled_network import CURTAIN_DERIVATION, WalledNetwork, file_names
from stackwalls.model.state import preserved
from stackwalls.model.wall import Wall

_NO_ATTENTION = "its blocks do not call torch's scaled dot-product attention"


@dataclass
class _Pass:
    """One pass of a network through its blocks.

    Attributes:
        of: the network behind the wall.
        attention: what answers the blocks' attention.
        first: blocks before this one are skipped, and it gets `tokens`, as does the head if it is behind the last.
        tokens: see `first`.
        stop: this block and those behind it are skipped.
        entering: what came to the block whose map is explained.
        outputs: what each block gave, if it is a list.
    """

    of: nn.Module
    attention: AttentionTo
    first: int = 0
    tokens: torch.Tensor | None = None
    stop: int | None = None
    entering: torch.Tensor = field(default_factory=lambda: torch.empty(0))
    outputs: list[torch.Tensor] | None = None


_PASS: ContextVar[_Pass | None] = ContextVar("the pass that runs in this thread", default=None)


class Attended(NamedTuple):
    """A forward pass with all that happens in the blocks, differentiable with respect to the weights."""

    logits: torch.Tensor  # (N, classes)
    weights: list[torch.Tensor]  # of each attention (N, heads, tokens, tokens); without gradients, the heads' mean
    outputs: list[torch.Tensor]  # of each block (N, tokens, C); none without gradients
    parts: tuple[torch.Tensor, torch.Tensor]  # see `WalledTransformer.parts`; without gradients


class WalledTransformer(WalledNetwork):
    """A vision transformer behind a wall (see `walled`), or without one: a baseline, which sees the whole image.

    Args:
        backbone: the network, as a whole. Its blocks are changed: inside this module they follow the wall.
        wall: the dead zone; its edges must be multiples of the patch size, unless it is a curtain. None: all is seen.
        kind: see `WallKind`.
        layer: the map that is explained is what enters this block: its number, negative from the end, or its name; the
            last one by default.

    Attributes:
        tokens: how they stand on the image.
        dead: `(tokens,)` bool, those behind the wall; behind a curtain none.
        keys: what the seen tokens find behind a sink, `(attentions, heads, dead tokens, d)`; they follow from the
            weights that are loaded (see `sink_keys`). Empty behind a curtain if no attention can be answered here.

    Raises:
        InputError: if the network is not such a transformer, or the wall or the layer does not fit.
    """

    settings: Mapping[str, Any] = {"kind": "cut", "layer": -1}

    def __init__(self, backbone: Backbone, wall: Wall | None, kind: WallKind = "cut", layer: Layer | None = None):
        super().__init__(backbone, wall, kind)
        self.network = with_torchs_attention(backbone.features)
        self.tokens = backbone.tokens_at(self.image_size)
        self.map_wall = wall_on_patches(backbone.name, wall, self.tokens.grid) if wall and kind != "curtain" else None
        self._last = len(self.tokens.blocks) - 1
        names = {module: name for name, module in self.network.named_modules()}
        self._block_names = [names[block] for block in self.tokens.blocks]
        self.explain_at(layer)
        dead = torch.zeros(self.tokens.prefix + self.tokens.grid**2, dtype=torch.bool)
        if self.map_wall:
            dead[self.tokens.prefix :] = torch.from_numpy(self.map_wall.mask()).flatten()
        self.dead = nn.Buffer(dead, persistent=False)
        self.eval()
        for number, block in enumerate(self.tokens.blocks):
            block.forward = partial(self._block, number, block.forward)
        self.keys: torch.Tensor = nn.Buffer(torch.empty(0), persistent=False)
        self._renew_keys()
        self.register_load_state_dict_post_hook(WalledTransformer._renew_keys)  # type: ignore[no-untyped-call]
        self._file_names = file_names(self, backbone.network)
        self._check_that_it_splits()

    def explain_at(self, layer: Layer | None) -> None:
        """See `LayeredModel`: a block's number, negative from the end, or its name; the map is what enters it."""
        number = self._last if layer in (None, LAST) else layer
        if isinstance(number, str):
            if number not in self._block_names:
                raise unknown_layer(self.name, layer, "that is not one of its blocks", self._block_names)
            number = self._block_names.index(number)
        if not isinstance(number, int) or not -self._last - 1 <= number <= self._last:
            raise InputError(
                f"Expected the layer of {self.name} to be the number of a block, 0 to {self._last} or negative, but "
                f"got {layer!r:.80}: take one, or a name such as {self._block_names[0]}."
            )
        self._entered = number % (self._last + 1)
        self.layer = None if self._entered == self._last else self._entered
        self.settings = {"kind": self.wall_kind, "layer": -1 if self.layer is None else self.layer}

    def layers(self) -> tuple[Layer, ...]:
        """All blocks."""
        return (*range(self._last), LAST)

    def dead_cells(self) -> torch.Tensor | None:
        """See `LayeredModel`."""
        return None if self.map_wall is None else torch.from_numpy(self.map_wall.mask())

    def layer_derivation(self) -> str:
        """See `LayeredModel`."""
        seen, dead = int((~self.dead).sum()), int(self.dead.sum())
        tokens = f"of the {seen + dead} tokens that enter block {self._entered}, the {dead} of dead patches"
        return f"{tokens} reach none of the {seen} seen ones, neither before nor from here on"

    def forward(self, images: torch.Tensor, keys: torch.Tensor | None = None) -> torch.Tensor:
        """`(N, 3, H, W)` normalized images to logits `(N, classes)`; with other keys than `keys` behind a sink."""
        return self._run(images, self._pass(keys=keys))

    def features(self, images: torch.Tensor) -> torch.Tensor:
        """`(N, 3, H, W)` normalized images to the map `(N, C, h, w)`, without the prefix tokens (see `parts`)."""
        return self.parts(images)[0]

    def parts(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The map `(N, C, h, w)` of `(N, 3, H, W)` normalized images, and its prefix tokens `(N, prefix, C)`."""
        now = self._pass(stop=self._entered)
        self._run(images, now)
        return self._parts_of(now.entering)

    def head(self, activations: torch.Tensor) -> torch.Tensor:
        """The map `(N, C, h, w)` to logits `(N, classes)`, for a network without prefix tokens (see `from_parts`)."""
        return self.from_parts(activations, None)

    def from_parts(self, activations: torch.Tensor, rest: torch.Tensor | None) -> torch.Tensor:
        """The map `(N, C, h, w)` and the prefix tokens beside it to logits `(N, classes)`."""
        patches = as_tokens(activations)
        return self._continued(patches if rest is None else torch.cat([rest, patches], 1), self._entered)

    def project(self, tokens: torch.Tensor) -> torch.Tensor:
        """Logits `(N, classes)` of a network whose last block gives `(N, C)` for every token."""
        return self._continued(tokens[:, None].expand(-1, int((~self.dead).sum()), -1), self._last + 1)

    def attended(self, images: torch.Tensor, first: int = 0) -> Attended:
        """The forward pass of `(N, 3, H, W)` images with the weights of every attention from block `first` on.

        Without gradients (`torch.no_grad`) nothing is kept but the mean of the weights over the heads.

        Raises:
            InputError: behind a curtain, if the blocks have no attention that can be read.
        """
        if not self.attentions:
            raise InputError(f"{self.name}: {_NO_ATTENTION}, so its attention cannot be read.")
        weights, outputs = list[torch.Tensor](), list[torch.Tensor]()
        wall = AttentionWall(self.dead, self.wall_kind, self.keys, weights, first * self.attentions)
        now = _Pass(self, wall, outputs=outputs if torch.is_grad_enabled() else None)
        logits = self._run(images, now)
        return Attended(logits, weights, outputs, self._parts_of(now.entering.detach()))

    @property
    def attentions(self) -> int:
        """How many each block has; 0 behind a curtain if they cannot be answered here."""
        return len(self.keys) // len(self.tokens.blocks)

    def _pass(self, keys: torch.Tensor | None = None, **settings: Any) -> _Pass:
        attention = AttentionWall(self.dead, self.wall_kind, self.keys if keys is None else keys)
        attention.active = self.wall_kind != "curtain"  # else it is the network's own
        return _Pass(self, attention, **settings)

    def _parts_of(self, entering: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.stitched(self.tokens.as_map(entering)), entering[:, : self.tokens.prefix]

    def _continued(self, tokens: torch.Tensor, first: int) -> torch.Tensor:
        """From what enters block `first` to logits; the image does not matter then."""
        now = self._pass(first=first, tokens=tokens)
        now.attention.calls = first * self.attentions
        return self._run(tokens.new_zeros(1, 3, self.image_size, self.image_size), now)

    def _run(self, images: torch.Tensor, now: _Pass) -> torch.Tensor:
        token = _PASS.set(now)
        try:
            with now.attention:
                logits: torch.Tensor = logits_of(self.network(self.curtained(images)))
        finally:
            _PASS.reset(token)
        return logits

    def _block(self, number: int, forward: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """What stands in the place of each block's own `forward`."""
        now = _PASS.get()
        if now is None or now.of is not self:
            return forward(*args, **kwargs)
        first: tuple[Any, Any] = next(iter([*enumerate(args[:1]), *kwargs.items()]))
        name, tokens = first
        if number == self._entered:
            now.entering = tokens
        if now.first <= number and (now.stop is None or number < now.stop):
            if now.tokens is not None and number == now.first:
                tokens = now.tokens
            elif number == self._entered:
                shown = self.stitched(self.tokens.as_map(tokens))
                tokens = torch.cat([tokens[:, : self.tokens.prefix], as_tokens(shown)], 1)
            output = forward(tokens, *args[1:], **kwargs) if args else forward(**kwargs | {name: tokens})
            tokens = output[0] if isinstance(output, tuple) else output
            if now.outputs is not None:
                now.outputs.append(tokens)
        if number == self._last:
            now.attention.active = False
            # norms, pools and heads behind the last block read the seen tokens only: there are no others
            tokens = now.tokens if now.first > number else tokens[:, ~self.dead]
        return (tokens,) if self.tokens.in_tuples else tokens

    def sink_keys(self) -> torch.Tensor:
        """Keys of the dead tokens on an image of the mean color, `(attentions, heads, dead tokens, d)`, differentiable.

        They follow from the weights, so a training computes them in every step.

        Raises:
            InputError: if the blocks have no attention that can be answered here. Nothing is needed behind a curtain.
        """
        record, like = AttentionRecord(self.dead), next(self.network.parameters())
        self._run(like.new_zeros(1, 3, self.image_size, self.image_size), _Pass(self, record))
        if not record.keys or len(record.keys) % len(self.tokens.blocks):
            raise InputError(_NO_ATTENTION)
        return torch.stack(record.keys)

    def _renew_keys(self, _incompatible: object = None) -> None:
        """Make `keys` those of the weights.

        Raises:
            InputError: if the network cannot be put behind a wall.
        """
        try:
            with preserved(self.network), torch.no_grad():
                self.keys = self.sink_keys()
            return
        except InputError as error:
            reason = str(error)
        except Exception as error:  # what reads a grid of tokens fails on part of it in many ways
            reason = f"what follows its blocks does not run on the seen tokens alone ({reason_of(error)})"
        if self.wall_kind == "curtain":
            return
        raise InputError(
            f"{self.name} cannot be put behind a wall: {reason}. Use timm's or transformers' ViT, DeiT, DINOv2, "
            f"DINOv3, EVA-02, BEiT, CLIP or SigLIP, {OR_A_CURTAIN}."
        )

    def _check_that_it_splits(self) -> None:
        """Raise an `InputError` if the blocks are not all that leads from the image to the head."""
        image = torch.randn(1, 3, self.image_size, self.image_size, generator=torch.Generator().manual_seed(0))
        with preserved(self), torch.no_grad():
            whole, split = self(image), self.from_parts(*self.parts(image))
        if not torch.allclose(split, whole, rtol=1e-4, atol=1e-4 * float(whole.abs().max())):
            raise InputError(
                f"{self.name} cannot be put behind a wall: its head reads more than what its last block gives; "
                f"{OR_A_CURTAIN}."
            )

    def derivation(self) -> str:
        """Why the dead zone is dead, in one sentence."""
        if self.wall_kind == "curtain":
            return CURTAIN_DERIVATION
        seen, dead = int((~self.dead).sum()), int(self.dead.sum())
        if not dead:
            return f"all {seen} tokens attend to each other, and the head may read each of them: nothing is dead"
        how = {
            "cut": "attention does not cross the wall",
            "sink": "the seen tokens find constant keys and values of zero behind the wall",
        }[self.wall_kind]
        return f"in {self._last + 1} blocks, {how}; the head reads the {seen} seen tokens of {seen + dead} only"
