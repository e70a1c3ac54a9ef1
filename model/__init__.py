"""What the network sees: the wall, the networks that are blind behind it, and the proof that they are.

- the picture: `labels` (ImageNet-1k), `preprocessing` (the one transform), `wall` (the dead zone in pixels)
- the network: `receptive_field` (which pixels a feature row reaches), `masked_vgg`, `walled`, `checkpoints`
- the proof: `certificate`
- `registry`: from a name on the command line to a network

Imports none of the other folders. Names are loaded at first use (PEP 562); `__init__.pyi` lists them.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
