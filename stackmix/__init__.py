"""STACK-MIX: two pictures of one class in one image, on both sides of the wall.

Read in this order: `pairing` (what a seed chooses; pure) →
`composite` (Eq. 6; pure) → `mixing` (a set, into a dataset folder). Beside them: `mix_spec` (what describes a
set), `mix_plan` (the choice of classes), `class_rows` (one class's rows), `mix_run` (all classes, part by part),
`encoding` (image files). After a review: `turned_down` (which pairs take the place of others; pure)
→ `redoing`, with `former_set` (the set as it stood). From a recipe: `rebuilding`, with `recipe_pictures` (the
pictures that it names, in one's own copy).

Imports `model` and `hub_cards` only. Names are loaded at first use (PEP 562); `__init__.pyi` lists them.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
