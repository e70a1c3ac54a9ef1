"""One evaluation, from its spec to rows.

- `evaluation_spec`: what was asked for; `runner`: `evaluate`, which composes the rest
- `blocks` (of images; their rows on disk, in a run that was killed or that several processes share), `block_run` (a
  block to rows), `measuring` (a batch through one explainer)
- `identity` (which run it is), `code_identity` (which function it is), `provenance` (what the run was)
- `samples` (maps kept for figures), `memory` (how many images at once), `stopwatch`

Names are loaded at first use (PEP 562); `__init__.pyi` lists them.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
