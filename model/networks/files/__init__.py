"""Networks as files.

- `pretrained` (model folders and Hub repositories), `weights` (safetensors, and whether they fit)
- `checkpoints` (VGG16 weights), `state_dicts` (what training scripts save)
"""
