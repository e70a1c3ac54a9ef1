"""`load_localizer`: from a name to a localizer."""

from __future__ import annotations

import difflib
from pathlib import Path

from stackwalls.model import InputError
from stackwalls.stackgen.localising.localizer import Localizer

LOCALIZERS: dict[str, str | None] = {
    "owlv2": "google/owlv2-base-patch16-ensemble",
    "owlv2-large": "google/owlv2-large-patch14-ensemble",
    "grounding-dino": "IDEA-Research/grounding-dino-base",
    "foreground": None,
}
"""Name → repository on the Hub (all Apache-2.0); None: no weights. `owlv2` is the default for photographs,
`foreground` for pictures on a plain or calm background, where nothing can be downloaded."""


def load_localizer(name: str, device: str = "cpu") -> Localizer:
    """A localizer by name, by repository ("owner/name", "owner/name@revision") or from a folder.

    Args:
        name: one of `LOCALIZERS`, or where a model for zero-shot object detection lies.
        device: where it runs, as torch names it; `foreground` runs on the CPU.

    Raises:
        InputError: if the name is unknown, or what lies there is no such model.
        RunError: if the weights cannot be had: no connection, terms not accepted, a disk that is full.
    """
    if name == "foreground":
        from stackwalls.stackgen.localising.foreground import Foreground

        return Foreground()
    from stackwalls.stackgen.localising.zero_shot import ZeroShot

    repository = LOCALIZERS.get(name)
    if repository is None and not Path(name).is_dir() and "/" not in name:
        near = difflib.get_close_matches(name, LOCALIZERS, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise InputError(
            f"Unknown localizer {name!r}: expected {', '.join(LOCALIZERS)}, owner/name of a zero-shot detection model "
            f"on the Hugging Face Hub, or a folder that holds one.{hint}"
        )
    return ZeroShot.load(repository or name, device, name=name)
