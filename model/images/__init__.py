"""Labeled images: from what a user types to pixels and classes, the same way for every command.

- `opening`: `open_images`, from text to images
- `labeled`: what all of them can do (`LabeledImages`)
- the sources: `image_folder` (class folders, and a flat folder with a list of labels: `labels_file`), `parquet` (files
  here or on the Hub), `tables` (`datasets`, also streamed; which columns hold the image and the label), `tar_shards`
  (WebDataset), `hub` (the Hugging Face Hub), `drawn_images` (the drawn world), `in_memory` (PIL images, torch's
  datasets)
- `label_reader`: what the values of a label column mean, and whose classes they are
- `label_space`: classes by index, name and key (`LabelSpace`); `labels`: ImageNet-1k's, and which one a name stands for
- `decoding`: from encoded bytes to pixels
- `drawn/`: a world of procedural animals

To add an image source, write a `LabeledImages` subclass in a new module and open it in `opening.open_images`.

Names are loaded at first use (PEP 562); `__init__.pyi` lists them.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
