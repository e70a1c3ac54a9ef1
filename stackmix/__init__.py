"""STACK-MIX: two images of one class in one, on both sides of the wall.

Read in this order: `mix_spec` (what describes a set) → `mix_plan` (which classes, images and pairs a seed chooses;
pure) → `composite` (Eq. 6, and lossless files; pure) → `class_rows` (the rows of one class) → `mixing` (a whole set,
into a dataset folder; its classes in threads, or by `class_workers` on a cluster). After a review: `redo`. From a
recipe and a user's own copy of the images: `rebuilding`.

Imports `model` and `hub_cards` only. Names are loaded at first use (PEP 562); `__init__.pyi` lists them.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
