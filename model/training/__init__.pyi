from .history import History as History, draw_curves as draw_curves
from .loop import StepLoop as StepLoop, Stopped as Stopped
from .network import TrainingNetwork as TrainingNetwork
from .spec import (
    RECIPES as RECIPES,
    Recipe as Recipe,
    Running as Running,
    TrainingSpec as TrainingSpec,
    find_recipe as find_recipe,
)
from .trainer import train as train
from .training_data import TrainingData as TrainingData, open_data as open_data
from .validation import Outcome as Outcome
