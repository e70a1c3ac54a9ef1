"""The theory: why GradCAM highlights what a network cannot see, on a network small enough to prove it.

- the network: `one_convolution` ([CNN]: filters, ReLU, max-pool, dense layers that read the upper half)
- its saliency maps without automatic differentiation: `closed_forms`
- the expected map at initialization: `expectation` (the lemmas, the exact map, lower bounds), `simulation` (estimates
  to compare with it, sweeps over filters, kernel, tau and depth, and the digits they run on)
- the figures of `stackgen theory`: `plots`

The proofs are in docs/theory.md. Names are loaded at first use (PEP 562); `__init__.pyi` lists them.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
