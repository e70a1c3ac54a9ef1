"""Adapters that turn any saliency method into an `Explainer`.

- `recognition`: the entry point, from a method of any form to its adapter. A new form is a module with an `Adapter`,
  and a line there
- the forms: `grad_cam` (the registry's methods, and classes of that interface), `captum_attribution`,
  `torch_cam_extractor`, `zennit_attributor`, `plain_function` (Quantus's convention and tensors), `precomputed` (maps
  made elsewhere)
- what they share: `adapter` (a method with options, which must belong to the network, called on a batch), `conversion`
  (attributions to maps), `isolation` (restores the network after each call)
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
