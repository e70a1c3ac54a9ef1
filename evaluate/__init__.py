"""Dataset × network × methods → saliency maps → mu and related metrics → tables, figures, report.

- `run/`: one evaluation, from its spec to rows; `subject` (the network and its wall), `target_layer`; `classes` (which
  of them are whose, by name)
- maps: `maps` (what a method becomes), `methods` (the registry of CAM methods), `adapters/` (methods of
  any other form, which need no registration), `engine/` (grad-cam's maps, faster)
- measures: `metrics` (pure functions of maps and a wall), `statistics` (intervals and tests), `checks/`,
  `judging/` (faithfulness metrics on maps that are known to be wrong)
- `leaderboard/`: scores, a page of them, and results as a dataset, for the Hub
- `measurements` (what was measured, pure data), `results` (its folder), `report/` (tables, figures, the page)

To add a CAM method, add it to `methods.METHODS`; any other callable needs no registration (docs/add-a-method.md).

Imports only `model` and `hub_cards`. Names are loaded at first use (PEP 562); `__init__.pyi` lists them.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
