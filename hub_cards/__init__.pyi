from .cards.card_check import check_card
from .cards.dataset_card import render_dataset_card, state_license
from .cards.facts import CardFacts, regenerate_command
from .cards.license import License, license_of, parse_license
from .cards.model_card import render_model_card
from .decisions import (
    KEPT,
    REJECTED,
    REVIEWED,
    UNDECIDED,
    VERDICTS,
    Decision,
    DecisionLog,
    current_decisions,
    image_sha256,
    read_decisions,
    rejected_images,
    review_reason,
)
from .finishing import Card
from .folder_writer import FolderWriter, ItemRecord
from .layout import Succession, unfinished_spec
from .manifest import KINDS, MANIFEST_FORMAT, MANIFEST_NAME, RECIPE_KIND, Manifest
from .model_folder import MODEL_FILES, check_model_folder, complete_model_folder, save_model_folder
from .reading import dataset_classes, open_dataset
from .recipe import Recipe, open_recipe, recipe_folder
from .record import MEANINGS, encode_rows, stack_gen_features, stack_mix_features, stack_mix_recipe_features
from .row_reader import RowReader
from .stack_dataset import Batch, StackDataset
from .verification import verify

__all__ = [
    "KEPT",
    "KINDS",
    "MANIFEST_FORMAT",
    "MANIFEST_NAME",
    "MEANINGS",
    "MODEL_FILES",
    "RECIPE_KIND",
    "REJECTED",
    "REVIEWED",
    "UNDECIDED",
    "VERDICTS",
    "Batch",
    "Card",
    "CardFacts",
    "Decision",
    "DecisionLog",
    "FolderWriter",
    "ItemRecord",
    "License",
    "Manifest",
    "Recipe",
    "RowReader",
    "StackDataset",
    "Succession",
    "check_card",
    "check_model_folder",
    "complete_model_folder",
    "current_decisions",
    "dataset_classes",
    "encode_rows",
    "image_sha256",
    "license_of",
    "open_dataset",
    "open_recipe",
    "parse_license",
    "read_decisions",
    "recipe_folder",
    "regenerate_command",
    "rejected_images",
    "render_dataset_card",
    "render_model_card",
    "review_reason",
    "save_model_folder",
    "stack_gen_features",
    "stack_mix_features",
    "stack_mix_recipe_features",
    "state_license",
    "unfinished_spec",
    "verify",
]
