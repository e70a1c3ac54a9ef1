"""Training of the masked VGG16 and its baseline.

- what is to be done: `recipes` (the paper's, a tiny one, the miniature's), `spec` (one training, and how this machine
  runs it)
- the images: `training_data` (from `--data` to two splits and the classes), `data/` (on their way to the network)
- the parts: `training_network` (only the rows that reach the head), `building`, `initialisation`, `dropout`,
  `optimisation`, `validation`, `failures` (what a device refuses), `interruption` (Ctrl-C)
- the loop: `trainer` (from the first step to the last), `progress` (where it is, what it logs), `checkpoint`
  (whole, and goes on bit for bit), `saving` (when), `history` (lines of JSON), `curves` (the paper's Figure 5)
- the end: `outcome` (the best weights, measured again, with their certificate)

Names are loaded at first use (PEP 562).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
