"""Labelled images: from what a user types to pixels and classes.

- `opening`: from the text of `--source` to a source; `source`: what every source can do
- the sources: `image_folder` (one sub-folder per class), `flat_folder` (ImageNet's flat folder with `labels_file`),
  `parquet` (local files; `parquet_columns` finds the image and the label), `hub` (the same files on the Hugging Face
  Hub), `drawn_images` (the drawn world)
- `labels` (ImageNet-1k classes), `class_labels` (which class a label stands for)
- `decoding`: from encoded bytes to pixels; `spool`: bytes that wait on disk
- `drawn/`: a world of procedural animals

Names are loaded at first use (PEP 562); `__init__.pyi` lists them.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
