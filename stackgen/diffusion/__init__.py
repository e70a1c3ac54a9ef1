"""The text-to-image model: presets, devices, and frames by seed. The only importer of diffusers.

- which: `model_source` (a preset, a Hub id or a folder, pinned; the presets as data: add a model here)
- how: `call` (steps, guidance, size), `pipeline` (device, number type, offloading), `text_to_image` (prompts and seeds
  → frames), `reading` (which part of a prompt its text encoders read)
- `miniature/`: trains the pipeline in this package

Names are loaded at first use (PEP 562); `__init__.pyi` lists them.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
