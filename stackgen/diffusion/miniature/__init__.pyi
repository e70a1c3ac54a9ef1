from .making import STAGES, make_miniature
from .miniature_spec import MiniatureSpec
from .shipped import DESCRIPTION, PIPELINE, miniature_synsets

__all__ = ["DESCRIPTION", "PIPELINE", "STAGES", "MiniatureSpec", "make_miniature", "miniature_synsets"]
