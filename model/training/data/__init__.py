"""Labelled pictures for training: where they come from, in which order, cropped how, and how they are kept coming.

- what there is: `pictures` (a set by number, a stream in order, the two splits), `opening` (from `--data` to them),
  `label_reading`, `splitting`
- where from: `folders`, `tables` (Parquet and `datasets`), `hub`, `tar_shards`, `drawn_pictures`
- on the way: `decoding`

Names are loaded at first use (PEP 562).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
