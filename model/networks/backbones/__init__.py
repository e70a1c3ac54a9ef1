"""What stands behind a wall: classifiers of torchvision, timm and transformers, and one's own.

- `backbone` (`Backbone`; torchvision's and timm's), `transformers_models`, `zero_shot` (CLIP and SigLIP, whose classes
  are texts), `own_networks` (checkpoints of one's own)
- `names` (any of them by name), `splitting` (features and head), `inputs_and_classes` (transform, normalization, names)
"""
