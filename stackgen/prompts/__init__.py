"""What a text-to-image model is asked for: the sentences, and the nouns that it understands."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
