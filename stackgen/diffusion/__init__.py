"""The text-to-image model: presets, devices, and pictures by seed. The only importer of diffusers.

- which: `presets` (as data), `model_source` (a preset, an id or a folder, pinned)
- where: `device` (device and number type), `loading` (weights, offload), `memory` (what to do when it is short)
- the one in this package: `miniature/`
- how: `call` (steps, guidance, size), `text_to_image` (`TextToImage`: from prompts and seeds to frames)

Names are loaded at first use (PEP 562); `__init__.pyi` lists them.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
