from .call import Call as Call, complete_call as complete_call, parse_size as parse_size
from .model_source import (
    AUTO as AUTO,
    MINIATURE as MINIATURE,
    PRESETS as PRESETS,
    ModelSource as ModelSource,
    Preset as Preset,
    find_model as find_model,
    find_preset as find_preset,
)
from .pipeline import Placement as Placement, memory_advice as memory_advice, place as place
from .text_to_image import Flaw as Flaw, FrameMaker as FrameMaker, TextToImage as TextToImage
