"""Dataset × network × methods → saliency maps → mu and its company → tables, figures, report.

- what is asked: `evaluation_spec`, `methods` (the registry), `subject` (the network, its wall, its target layer)
- maps: `maps` (what an explainer gives), `gradcam_maps` (by the grad-cam package), `engine_maps` (the same, faster, by
  `engine/`), `adapters/` (methods in other forms)
- beyond the paper: `statistics/` (intervals, tests), `checks/`
- measures: `metrics` (pure functions of maps and a wall), `mu_metric` (mu over a stream), `measuring` (a batch)
- the run: `runner` (`evaluate`), `rows` (one an image and method), `samples` (maps kept for figures), `provenance`,
  `memory` (how many images at once), `stopwatch`
- its parts: `blocks` (of images), `block_run` (a block to rows), `block_store` (rows on disk), `unfinished` (a run that
  was killed, or that several processes share), `identity` (which run it is; `code_identity`: which function it is)
- for the network's card on the Hub: `index_entries`
- what comes out: `results` (the folder), `table` (Table 1; `table_text`, `wording`), `headline`, and by `rendering`
  (whose files `rendered` names) `figures` (Figures 1, 7, 8, 9) and `report` (one HTML file from `templates/`, with
  `distributions` and a `gallery`)
- compared image by image: `paired_values`, `method_comparison` (every two methods; are the images enough),
  `baseline_comparison` (masked − unmasked)

Imports only `model` and `hub_cards`. Names are loaded at first use (PEP 562); `__init__.pyi` lists them.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
