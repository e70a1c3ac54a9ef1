from .cards.card import (
    render_card as render_card,
    seal_folder as seal_folder,
    state_license as state_license,
)
from .cards.card_check import check_card as check_card
from .cards.dataset_card import render_dataset_card as render_dataset_card
from .cards.facts import CardFacts as CardFacts, regenerate_command as regenerate_command
from .cards.license import License as License, license_of as license_of, parse_license as parse_license
from .cards.model_card import render_model_card as render_model_card
from .decisions import (
    KEPT as KEPT,
    REJECTED as REJECTED,
    REVIEWED as REVIEWED,
    UNDECIDED as UNDECIDED,
    VERDICTS as VERDICTS,
    Decision as Decision,
    DecisionLog as DecisionLog,
    current_decisions as current_decisions,
    image_sha256 as image_sha256,
    read_decisions as read_decisions,
    rejected_images as rejected_images,
    review_reason as review_reason,
)
from .layout import Succession as Succession, unfinished_spec as unfinished_spec
from .manifest import (
    BOARD_KIND as BOARD_KIND,
    FOLDER_KINDS as FOLDER_KINDS,
    KINDS as KINDS,
    MANIFEST_FORMAT as MANIFEST_FORMAT,
    MANIFEST_NAME as MANIFEST_NAME,
    RECIPE_KIND as RECIPE_KIND,
    RESULTS_KIND as RESULTS_KIND,
    Manifest as Manifest,
)
from .model_folder import (
    MODEL_FILES as MODEL_FILES,
    check_model_folder as check_model_folder,
    complete_model_folder as complete_model_folder,
    save_model_folder as save_model_folder,
)
from .reading import (
    dataset_classes as dataset_classes,
    dataset_manifest as dataset_manifest,
    open_dataset as open_dataset,
)
from .recipe import Recipe as Recipe, open_recipe as open_recipe, recipe_folder as recipe_folder
from .record import (
    MEANINGS as MEANINGS,
    RESULT_MEANINGS as RESULT_MEANINGS,
    encode_rows as encode_rows,
    results_features as results_features,
    stack_gen_features as stack_gen_features,
    stack_mix_features as stack_mix_features,
    stack_mix_recipe_features as stack_mix_recipe_features,
)
from .row_reader import RowReader as RowReader
from .stack_dataset import Batch as Batch, Resizing as Resizing, StackDataset as StackDataset
from .verification import verify as verify
from .writing.finishing import Card as Card
from .writing.folder_writer import FolderWriter as FolderWriter, ItemRecord as ItemRecord
