"""Networks that are blind behind a wall, and the proof that they are.

- the network: `blind_model` (what all of them share), `masked_vgg` (the paper's), `walled_model` (any pretrained CNN
  behind a wall) and its `backbones`, `receptive_field` (which pixels a row of a map reaches), `seen_rows` (only those
  are computed)
- by name: `registry` (from a name on the command line to a network)
- files: `checkpoints` (VGG16 weights), `weights` (safetensors, and whether they fit), `pretrained` (folders
  and Hub repositories: save, load, push by the Hub's mixin)
- the proof: `certificate`

Names are loaded at first use (PEP 562); `__init__.pyi` lists them.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
