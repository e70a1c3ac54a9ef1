"""Attempts, accepted and rejected, until every class has its pictures.

prompts → diffusion → localising → crop → dataset folder.

- what: `generate_spec` (a set), `work_item` (its images, their order and seeds)
- one attempt: `inspection` (from a frame to a row, or why not)
- many: `attempts` (drawing and looking side by side), `item_progress` (when an item is done, and after a review)
- all: `generating` (`generate`: this process's share, and the finished folder)

Names are loaded at first use (PEP 562); `__init__.pyi` lists them.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
