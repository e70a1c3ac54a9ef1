"""Judging the judges: what faithfulness metrics say of maps that are provably wrong.

- `metric_spec` (what a metric is, and what it is asked about), `metric_registry` (name → metric), `package_metrics`
  (the calls of grad-cam's, torch-cam's, captum's and Quantus's)
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
