"""Dataset × network × methods → saliency maps → mu and its company → tables, figures, report.

- what is asked: `evaluation_spec`, `methods` (the registry), `subject` (the network, its wall, its target layer)
- maps: `maps` (what an explainer gives), `gradcam_maps` (by the grad-cam package), `engine_maps` (the same, faster, by
  `engine/`), `adapters/` (methods in other forms)
- beyond the paper: `statistics/` (intervals, tests), `checks/`
- measures: `metrics` (pure functions of maps and a wall), `mu_metric` (mu over a stream), `measuring` (a batch)
- the run: `runner` (`evaluate`), `rows` (one an image and method), `samples` (maps kept for figures), `provenance`
- what comes out: `results` (the folder), `table` (Table 1), `figures` (Figure 7), `headline`, `report` (one HTML file
  from `templates/`)

Imports only `model` and `hub_cards`. Names are loaded at first use (PEP 562); `__init__.pyi` lists them.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
