"""A text-to-image model that fits into this package: trained on the drawn world, loaded by diffusers as any other.

- what it learns from: `pictures` (frames of one or two drawn animals), `sentences` (what they are in words)
- its parts: `words` (tokenizer), `projection` (the linear encoder), `networks` (text encoder, denoiser, decoder)
- its training: `miniature_spec`, `step_loop` (on accelerate), `decoder_training`, `denoiser_training`, `making`
- what came of it: `shipped` (`pipeline/`, the weights behind `--preset mini`)

Names are loaded at first use (PEP 562).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
