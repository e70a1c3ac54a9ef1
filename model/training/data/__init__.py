"""Training images on their way to the network: in which order, cropped how, and how they are kept coming.

`batch_order`, `augmentation`, `preparing` (what background processes do), `loading`. Where they come from is
`model/training/training_data.py`.

Names are loaded at first use (PEP 562).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
