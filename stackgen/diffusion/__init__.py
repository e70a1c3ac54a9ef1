"""The text-to-image model: presets, devices, and pictures by seed. The only importer of diffusers."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
