"""Checks beyond the paper: other walls, twins, the leak's origin, reference maps, signs."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
