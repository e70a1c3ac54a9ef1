"""The theory: why GradCAM lights what a network cannot see, on a network small enough to prove it.

- the network: `one_convolution` ([CNN]: filters, ReLU, max-pool, dense layers that read the upper half)
- its maps without automatic differentiation: `closed_forms`
- the expected map at initialisation: `gaussian` (the lemmas), `expectation` (exact forms and lower bounds),
  `monte_carlo` (the estimate to hold against them)
- what `stackgen theory` shows: `digits` (the picture), `sweeps` (over filters, kernel, tau, depth), `plots`

The proofs are in docs/theory.md. Names are loaded at first use (PEP 562); `__init__.pyi` lists them.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
