"""Attempts, accepted and rejected, until every class has its pictures.

prompts → diffusion → localising → crop → dataset folder.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
