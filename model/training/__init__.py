"""Training and fine-tuning of networks behind a wall, and of the VGG16 baseline.

- what is trained: `spec` (recipes; the spec of one training; how this machine runs it), `start` (the network before the
  first step), `first_weights`, `network` (computes only what reaches the head; seeded dropout)
- images: `training_data` (from `--data` to two splits and the classes), `splits`, `batch_order` (which image when),
  `augmentation` (random crops and colors), `loading` (background processes that read, decode and crop)
- the loop: `trainer` (the training from start to end; optimizer, learning rate), `loop` (the steps, precision, stops
  and checkpoints that every training shares), `checkpoint` (the whole state in one file), `history` (losses, curves)
- what is measured: `validation` (accuracy, and the certified network at the end)

A new value of a recipe is a field of `spec.Recipe`; its flag and help text follow from it.
Names are loaded at first use (PEP 562).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
