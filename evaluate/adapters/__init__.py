"""Any saliency method, in the forms that its users have, as an `Explainer`.

- `recognition`: the front door, from a method of any form to its adapter
- the forms: `grad_cam_class` (and `grad_cam_explainer`, the registry's own), `captum_attribution`,
  `torch_cam_extractor`, `plain_function` (Quantus's convention and tensors), `precomputed` (maps made
  elsewhere, kept in a `map_store`)
- what they share: `adapter` (a call, and the model as it was), `configured` (a method with options), `conversion`
  (attributions to maps), `isolation` (nothing is left behind), `belonging` (is it this network's?)
- `imports`: methods and networks that are named as `package.module:name`

Names are loaded at first use (PEP 562); `__init__.pyi` lists them.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
