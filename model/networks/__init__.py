"""Networks that are blind behind a wall, and the proof that they are.

- the interface: `blind_model` (`BlindModel`: features, a head that reads the seen part, and the wall that follows),
  `layered_model` (`LayeredModel`: one that splits at any of several layers)
- the networks: `masked_vgg` (the paper's, of `vgg_convolutions`), `walled_model` (any CNN, cut at the wall), `curtain`
  (any network, whose dead pixels are replaced, or none), `walled_network` (what all networks behind a wall without
  training share), `behind_a_wall` (the one that fits), `registry` (from a name to a network)
- `attention/`: vision transformers behind a wall
- `backbones/`: what stands behind a wall: torchvision, timm, transformers, and checkpoints of one's own
- `geometry/`: which pixels a layer sees, and which walls fit
- `files/`: weights, model folders and Hub repositories
- `proof/`: the certificate

To put a wall on another architecture, subclass `BlindModel` in a new module and add it to `registry.load_model`.

Names are loaded at first use (PEP 562); `__init__.pyi` lists them.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
