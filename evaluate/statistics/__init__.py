"""Intervals and tests on per-image numbers: pure functions of arrays, seeded, in memory that does not grow with draws.

- `interval` (a mean and where it may lie), `bootstrap` (how that is found: BCa)
- `paired` (the difference of two methods or networks on the same images), `sign_flip` (whether it may be chance),
  `holm` (when many are asked at once)
- `rank_stability` ("are 100 images enough?")

NaN is what has no value: it is counted, and a pair with one is left out of that pair's numbers and of no other's.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
