"""The drawn world: small seeded pictures of the ImageNet animals, with exact boxes and masks. PIL and NumPy only.

- the table: `species.tsv` (class → archetype, colors, coats, options), `looks` (reads it), `colors` (its words)
- the drawing: `figure` (polygons), `pose`, `patterns` (coats), `parts`, `beaks`, `trunk` (of anything on four legs)
- the animals: `archetypes` (name → function); one module a family: `amphibians`, `arachnids`, `birds`, `cats`,
  `crustaceans`, `dogs`, `fishes`, `groundbirds`, `hoofed`, `insects`, `invertebrates`, `mammals`, `primates`,
  `reptiles`, `rodents`, `seamammals`, `snakes`, `turtles`, `waterbirds`, `winged`
- the picture: `paint` (polygons → pixels), `backgrounds`, `scene` (one animal, or two stacked), `sheet` (many pictures)

Background, light, pose, size and place are drawn in the same way for every class: they say nothing about it.
Names are loaded at first use (PEP 562).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
