"""What the network sees: the wall, the networks that are blind behind it, and the proof that they are.

- the picture: `labels` (ImageNet-1k), `sampling` (which classes a seed draws; `seeds`: what a seed may be),
  `preprocessing` (the one transform), `wall` (the dead zone in pixels), and `drawn/`, a world of procedural animals for
  where there are no photographs
- the network: `blind` (what all of them share), `masked_vgg`, `walled_model` and its `backbones`, `checkpoints`,
  `receptive_field` (which pixels a row of a map reaches), `seen_rows` (only those are
  computed), `registry` (from a name on the command line to a network)
- published networks: `pretrained` (save, load, push by the Hub's mixin), `pretrained_files` (a folder, or one commit
  on the Hub), `weights` (safetensors and whether they fit)
- the proof: `certificate`, and `state` (models come back as they were)
- `miniature/`: the two networks whose weights come with the package
- `training/`: how the masked VGG16 and its baseline are trained
- `theory/`: the one-convolution network in closed form, and what GradCAM expects of it at initialisation
- `errors`: the two kinds of failure that a user meets; `hashing`; `parallel`; `launcher` (this process's share)

Imports none of the other folders. Names are loaded at first use (PEP 562); `__init__.pyi` lists them.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
