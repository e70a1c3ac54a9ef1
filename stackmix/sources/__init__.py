"""Where the pictures come from: each kind of source gives its pictures by class, then their bytes by id.

- `source`: what every source can do; `opening`: from the text of `--source` to a source
- the kinds: `image_folder` (one folder a class), `flat_folder` (ImageNet's flat folder with `labels_file`),
  `parquet` (files here; `parquet_columns` finds the picture and the label), `hub` (the same files on the
  Hugging Face Hub), `drawn` (procedural pictures that need no data at all)
- `class_labels`: which ImageNet-1k class a label stands for; `spool`: bytes that wait on disk

Names are loaded at first use (PEP 562); `__init__.pyi` lists them.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
