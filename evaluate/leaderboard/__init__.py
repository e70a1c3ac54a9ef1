"""A leaderboard: scores as JSON, a page of them, and results as a dataset of rows, for the Hub or a disk.

- `score` (one score, and its schema), `score_files` (many, from a folder), `score_check` (whether they are plausible)
- `page` (the page, from `templates/`), `board_folder` (the page with its scores, a static Space)
- `published_results` (the per-image rows of an evaluation as a dataset, without pixels)
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
