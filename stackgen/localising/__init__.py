"""Where the two animals are, and the square crop that puts one of them behind the wall.

- finding: `localizer` (the protocol, and what is found), `zero_shot` (OWLv2, Grounding DINO), `foreground` (plain
  backgrounds, without weights) with `background_model` and `dividing`, `loading` (from a name to a localizer),
  `fetching` (files of the Hub), `boxes` (arithmetic)
- choosing: `pairing` (which box is seen and which is hidden), `refusal` (why not)
- cropping: `crop_shares` (what a crop shows; pure), `crop_search` (the best one; pure), `cropping` (for any side of
  the wall, accepted or refused), `cutting` (pixels)

Names are loaded at first use (PEP 562); `__init__.pyi` lists them.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
