from .history import History, draw_curves
from .loop import StepLoop, Stopped
from .network import TrainingNetwork
from .spec import RECIPES, Recipe, Running, TrainingSpec, find_recipe
from .trainer import train
from .training_data import TrainingData, open_data
from .validation import Outcome

__all__ = [
    "RECIPES",
    "History",
    "Outcome",
    "Recipe",
    "Running",
    "StepLoop",
    "Stopped",
    "TrainingData",
    "TrainingNetwork",
    "TrainingSpec",
    "draw_curves",
    "find_recipe",
    "open_data",
    "train",
]
