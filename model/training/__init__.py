"""Training of the masked VGG16 and its baseline: recipes, data, loop, checkpoints, curves."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
