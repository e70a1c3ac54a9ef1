"""Networks that are blind behind a wall, and the proof that they are.

- the interface: `blind_model` (`BlindModel`: features, a head that reads the seen part, and the wall that follows)
- the networks: `masked_vgg` (the paper's), `walled_model` (any pretrained CNN, cut at the wall) and its `backbones`,
  `registry` (from a name on the command line to a network)
- what they see: `receptive_field` (which pixels a map row reaches), `seen_rows` (the rows that must be computed)
- files: `checkpoints` (VGG16 weights), `weights` (safetensors, and whether they fit), `pretrained` (folders and Hub
  repositories: save, load, push by the Hub's mixin)
- the proof: `certificate`

To put a wall on another architecture, subclass `BlindModel` in a new module and add it to `registry.load_model`.
Transformers are not supported yet.

Names are loaded at first use (PEP 562); `__init__.pyi` lists them.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
