"""Networks that are blind behind a wall, and the proof that they are.

- the interface: `blind_model` (`BlindModel`: features, a head that reads the seen part, and the wall that follows)
- the networks: `masked_vgg` (the paper's), `walled_model` (any CNN, cut at the wall, if `wall_fitting` finds that
  it can be), `walled_transformer` (tokens by `image_tokens`, their attention by `attention_wall`), `walled_network`
  (what both share), `behind_a_wall` (the one that fits), `registry` (from a name on the command line to a network)
- what stands behind a wall: `backbones` (`Backbone`; torchvision's and timm's), `transformers_models`, `own_networks`
  (checkpoints of one's own), `backbone_names` (any of them by name), `splitting` (features and head),
  `inputs_and_classes` (transform, normalization, names)
- what they see: `receptive_field` (which pixels a map row reaches), `seen_rows` (the rows that must be computed)
- files: `checkpoints` (VGG16 weights), `state_dicts` (what training scripts save), `weights` (safetensors, and whether
  they fit), `pretrained` (folders and Hub repositories: save, load, push by the Hub's mixin)
- the proof: `proof` (the four checks), `certificate` (what they found)

To put a wall on another architecture, subclass `BlindModel` in a new module and add it to `registry.load_model`.

Names are loaded at first use (PEP 562); `__init__.pyi` lists them.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
