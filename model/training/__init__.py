"""Training of networks behind a wall: the masked VGG16 and its baseline, and walled networks.

- what is trained: `spec` (recipes; the spec of one training; how this machine runs it), `start` (the network before its
  first step, with a logit for each class), `first_weights` (random ones), `network` (computes only what reaches the
  logits; seeded dropout)
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
