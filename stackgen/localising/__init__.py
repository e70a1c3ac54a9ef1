"""Where the two animals are: detectors, and the pair of boxes that is stacked."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
