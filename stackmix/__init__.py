"""STACK-MIX: two pictures of one class in one image, on both sides of the wall.

Read in this order: `sources` (where the pictures come from) → `pairing` (what a seed chooses; pure) →
`composite` (Eq. 6; pure) → `mixing` (the run, into a dataset folder). Beside them: `mix_spec` (what describes a
set), `mix_plan` (the choice of classes), `class_rows` (one class's rows), `decoding` and `encoding` (picture files).

Imports `model` and `hub_cards` only. Names are loaded at first use (PEP 562); `__init__.pyi` lists them.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
