"""`Reading`: which part of a prompt a pipeline's text encoders read, which may end before the prompt does."""

from __future__ import annotations

import textwrap
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch

from stackwalls.model import InputError

_ENDING = 2  # tokens that may follow a text which was cut: the end's own


class Reading:
    """Watches the tokens that reach each text encoder of one pipeline, whatever its limit is and whoever applies it.

    A prompt that is cut is reported once as a `UserWarning`. It is refused if another prompt is the same up to there:
    both would give the same frames.
    """

    def __init__(self, pipeline: Any, name: str) -> None:
        parts = pipeline.components
        self._name = name
        self._encoders = {
            part: (module, parts.get(part.replace("text_encoder", "tokenizer")))
            for part, module in parts.items()
            if part.startswith("text_encoder") and isinstance(module, torch.nn.Module)
        }
        self._denoiser: Any = parts.get("transformer") or parts.get("unet")
        self._known: dict[tuple[str, ...], str] = {}  # what the encoders read of a prompt that was cut → the prompt
        self._warned = False

    @contextmanager
    def watched(self, prompts: Sequence[str]) -> Iterator[None]:
        """One call of the pipeline.

        Raises:
            InputError: before the first step, if the encoders cannot tell a prompt from another one.
        """
        heard: dict[str, list[list[int]]] = {}

        def hear(part: str, _module: object, args: tuple[Any, ...], named: dict[str, Any]) -> None:
            tokens = named.get("input_ids", args[0] if args else None)
            if isinstance(tokens, torch.Tensor) and tokens.ndim == 2:
                heard.setdefault(part, []).extend(tokens.tolist())

        def check(*_: object) -> None:
            if heard:
                for prompt in dict.fromkeys(prompts):
                    self._check(prompt, heard)
                heard.clear()  # the later steps

        with ExitStack() as stack:
            for part, (encoder, _) in self._encoders.items():
                hook = encoder.register_forward_pre_hook(partial(hear, part), with_kwargs=True)
                stack.callback(hook.remove)
            if self._denoiser is not None:
                stack.callback(self._denoiser.register_forward_pre_hook(check).remove)
            yield

    def _check(self, prompt: str, heard: dict[str, list[list[int]]]) -> None:
        """Warn about a prompt that is cut, or refuse it."""
        cuts, read = [], []
        for part, rows in heard.items():
            tokenizer = self._encoders[part][1]
            if tokenizer is None:
                continue
            tokens = tokenizer(prompt, add_special_tokens=False, verbose=False)["input_ids"]
            fitting = _fitting(tokens, rows)
            if fitting < len(tokens):
                rest = unread(tokenizer, prompt, fitting)
                cuts.append(f"{part} reads {fitting} of its {len(tokens)} tokens and not “{rest}”")
            read.append(tokenizer.decode(tokens[:fitting]))
        if not cuts:
            return
        shown = textwrap.shorten(prompt, 60, placeholder=" …")
        said = f"The prompt “{shown}” is too long for {self._name}: {'; '.join(cuts)}"
        other = self._known.setdefault(tuple(read), prompt)
        if other != prompt:
            raise InputError(
                f"{said}. Up to there it is the same as another prompt, so both would give the same images: shorten "
                "--template, or name the animal earlier in it."
            )
        if not self._warned:
            self._warned = True
            warnings.warn(f"{said}. Shorten --template.", UserWarning, stacklevel=2)


def unread(tokenizer: Any, text: str, fitting: int) -> str:
    """The words of a text after its first `fitting` tokens, at most 100 characters."""
    if getattr(tokenizer, "is_fast", False):  # it knows where its tokens are in the text
        places = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
        rest = text[places[fitting][0] :]
    else:
        rest = tokenizer.decode(tokenizer(text, add_special_tokens=False)["input_ids"][fitting:])
    return textwrap.shorten(rest, 100, placeholder=" …")


def _fitting(tokens: list[int], rows: list[list[int]]) -> int:
    """How many of a prompt's tokens are in an encoder's rows: all, unless a row ends in the middle of them.

    Before the prompt, a row may have a template. A prompt that the pipeline has changed is not found; nothing is said
    about it.
    """
    cut = []
    for row in rows:
        for start in (at for at, token in enumerate(row) if tokens and token == tokens[0]):
            pairs = enumerate(zip(tokens, row[start:], strict=False))
            same = next((at for at, (one, other) in pairs if one != other), min(len(tokens), len(row) - start))
            if same == len(tokens):
                return same
            if same > _ENDING and start + same >= len(row) - _ENDING:
                cut.append(same)
    return max(cut, default=len(tokens))
