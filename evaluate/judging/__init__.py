"""Judging the judges: what faithfulness metrics say of maps that are provably wrong.

- a run: `judging` (`judge`), `judged_maps` (which maps), `scoring` (every metric on every map: rows),
  `findings` (what follows from the scores), `judgment` (its folder), `judgment_page` (table, figure, page)
- the metrics: `metric_spec` (what one is, and what it is asked), `metric_registry` (name → metric), `package_metrics`
  (calls of grad-cam, torch-cam, captum and Quantus)
- the other way round, mu as a metric of other packages: `mu_in_quantus`, `mu_in_torchmetrics`, `mu_in_captum`

To add a metric, add it to `metric_registry`; one of your own needs no registration (`MetricSpec`, docs/judge.md).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
