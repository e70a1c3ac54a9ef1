"""A page on this machine to look at every picture and to keep it or turn it down."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
