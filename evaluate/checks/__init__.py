"""Checks beyond the paper: other walls, twins, the leak's origin, reference maps, signs.

- pure: `reference_maps` (what knows nothing of the network), `leak_origin` (mu step by step), `twin_drift` (the same
  picture with another dead zone), `eigen_signs`
- on a dataset: `measured` (`beyond_mu`: all of these for every picture and its twin), by way of `map_maker`, into
  `findings`; `wall_table` (the same methods behind several walls)
- for authors of methods: `method_check` (verdicts on one method on `tiny_subject`), `pytest_plugin`; `scores` (a result
  as JSON, with a schema), `leaderboard` (one page from a folder of them, from `templates/`)
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
