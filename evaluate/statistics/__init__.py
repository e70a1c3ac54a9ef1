"""Intervals and tests on per-image numbers: pure, seeded functions of arrays.

- `intervals`: the interval of a mean (bootstrap, BCa), and the difference of two methods or networks on the same images
- `significance`: whether a difference may be chance (sign-flip test), and Holm's correction for many tests
- `rank_stability`: "are 100 images enough?"

NaN means no value: it is counted, and a pair with one is left out of that pair's numbers only.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
