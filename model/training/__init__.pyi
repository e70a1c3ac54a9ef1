from .curves import draw_curves
from .history import History
from .outcome import Outcome
from .recipes import RECIPES, Recipe, find_recipe, recipe_fields
from .spec import Running, TrainingSpec
from .trainer import Stopped, train
from .training_data import TrainingData, open_data
from .training_network import TrainingNetwork

__all__ = [
    "RECIPES",
    "History",
    "Outcome",
    "Recipe",
    "Running",
    "Stopped",
    "TrainingData",
    "TrainingNetwork",
    "TrainingSpec",
    "draw_curves",
    "find_recipe",
    "open_data",
    "recipe_fields",
    "train",
]
