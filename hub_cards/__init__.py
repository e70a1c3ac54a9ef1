"""The published contract: what a row is, what a run was, the dataset folder on disk, its card.

- what: `record` (the columns), `manifest` (what a run was), `layout` (what lies where)
- writing: `folder` (`FolderWriter`: rows in order, one process), made of `parts` (what survives a kill);
  `item_folder` (`ItemFolder`: items in any order, several processes, folders that grow), made of `item_work` and
  `item_record`; both end in `finishing` and `shards` (Parquet from rows alone)
- checking: `verification`
- reading: `reading` (`open_dataset`: finished sets, here or on the Hub, and any other labelled images),
  `stack_dataset` (batches), `row_reader` (any row of a finished set by its number)
- reviewing: `decisions` (what a person decided, beside the data)
- the card: `cards/`, with its text in `templates/`; a network as a folder with its card: `model_folder`
- STACK-MIX without pixels: `recipe` (made from a finished folder, read from a folder or the Hub)
- the Hub: `publishing/`

Imports only `model`. Names are loaded at first use (PEP 562); `__init__.pyi` lists them.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
