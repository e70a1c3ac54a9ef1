"""The dataset format: files, columns, manifest and card; reading, writing, and the Hugging Face Hub.

- What a dataset is: `record` (its columns), `manifest` (what made the folder, and every file's hash),
  `layout` (the files and their places), `verification` (`verify`: does a folder match its manifest?)
- Writing: `writing/` (the store of runs that can be killed, resumed and shared; dataset folders item by item)
- Reading: `reading` (`open_dataset`: finished sets on disk or on the Hub, and any other labeled images),
  `stack_dataset` (batches), `row_reader` (any row of a finished set by its number)
- Reviewing: `decisions` (a reviewer's decisions, next to the data)
- Cards: `cards/`, with their text in `templates/`
- STACK-MIX without pixels: `recipe`
- Networks: `model_folder` (weights, configuration, certificate and card of a network)
- Uploading: `publishing/`

To add a column to a dataset, declare it in `record`, and fill it in `stackmix.class_rows` or
`stackgen.generation.attempts`.

Imports only `model`. Names are loaded at first use (PEP 562); `__init__.pyi` lists them.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
