from .blocks import ShareDone
from .evaluation_spec import EvaluationSpec, Target
from .runner import evaluate
from .samples import SAMPLES_PER_DATASET, Samples

__all__ = [
    "SAMPLES_PER_DATASET",
    "EvaluationSpec",
    "Samples",
    "ShareDone",
    "Target",
    "evaluate",
]
