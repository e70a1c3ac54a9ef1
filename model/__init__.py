"""What the network sees: the wall, the networks that are blind behind it, and the proof that they are.

- `images/`: labeled images, from what a user types to pixels and classes, and a drawn world for where there are none
- `networks/`: the networks that are blind behind a wall, by name, and their certificate
- `wall` (the dead zone in pixels), `boxes` (unions of rectangles), `preprocessing` (a network's transform), `sampling`
  (what a seed draws)
- `state` (leave models as they were)
- `files` (atomic file writes, and files that may be anything), `documents` (JSON of others, by a schema), `imports`
  (methods and networks that are named `package.module:name`)
- `errors` (the two kinds of failure that a user meets; quoting what others wrote)
- `hub/`: the Hugging Face Hub's ids, failures and limits
- `runtime/`: device, threads, share of a run, signals, and third-party code in this process
- `miniature/`: the two networks whose weights come with the package
- `training/`: how the masked VGG16 and its baseline are trained
- `theory/`: the one-convolution network in closed form, and what GradCAM expects of it at initialization

To add an image source, see `images/`; to put a wall on another architecture, see `networks/`.

Imports none of the other folders. Names are loaded at first use (PEP 562); `__init__.pyi` lists them.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
