"""Checks beyond mu: twins, where a leak comes from, reference maps, walls on every side, one method's verdicts.

- on a dataset: `findings` (`beyond_mu`: every method on every image and its twin, and the table), by `twin_rows` (of a
  batch) and pure functions in `leak_diagnostics`; `references` (maps that know nothing of the network); `wall_table`
  (behind several walls), `sweep_table` (of several evaluations; at several layers)
- for authors of methods: `method_check` (verdicts on one method, on small networks), `pytest_plugin`
- `map_maker`: maps of any methods for a batch
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
