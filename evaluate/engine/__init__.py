"""The fast engine: grad-cam's maps from one forward pass, for networks that split into features and head.

- `single_pass`: the methods that need activations and gradients only, as functions
- `ablation`, `score`: AblationCAM's and ScoreCAM's weights without running what cannot matter
- `forward`: one forward pass, and a backward pass through the head alone
- `features`: the convolutions on whole images, as the device runs them fastest
- `seen_rows`: MaskedVGG16's convolutions on the rows that the head can depend on
- `split_products`: float32 convolutions as three TF32 products, on a GPU
- `kernels`: convolutions and dense layers in the device's fastest layout
- `raw_maps`: all of it for a batch; `engine_explainer`: that as an `Explainer`
- `batch_sizes`: how much at once, and less if memory runs out
- `upsampling`: from raw maps to saliency maps at the image's size

Names are loaded at first use (PEP 562); `__init__.pyi` lists them.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
