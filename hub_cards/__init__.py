"""The published contract: what a row is, what a run was, the dataset folder on disk, its card.

- what: `record` (the columns), `manifest` (what a run was), `layout` (what lies where)
- writing: `folder` (`FolderWriter`), made of `parts` (what survives a kill), `shards` (Parquet from rows alone) and
  `whole_files` (temporary name, then rename)
- checking: `verification`
- reading: `reading` (`open_dataset`), made of `stack_dataset` (batches), `pictures` (decoding),
  `picture_folder` and `table_rows`
- the card: `card`, with its text in `templates/`
- the Hub: `publishing/`

Imports only `model`. Names are loaded at first use (PEP 562); `__init__.pyi` lists them.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
