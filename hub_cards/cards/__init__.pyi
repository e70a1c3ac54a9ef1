from .assets import draw_assets, draw_wall
from .card_check import check_card
from .dataset_card import render_dataset_card
from .facts import CardFacts, reason_kind
from .licence import HUB_LICENCES, IMAGENET_TERMS, Licence, licence_of, parse_licence
from .model_card import render_model_card
from .regeneration import regenerate_command
from .restating import state_licence

__all__ = [
    "HUB_LICENCES",
    "IMAGENET_TERMS",
    "CardFacts",
    "Licence",
    "check_card",
    "draw_assets",
    "draw_wall",
    "licence_of",
    "parse_licence",
    "reason_kind",
    "regenerate_command",
    "render_dataset_card",
    "render_model_card",
    "state_licence",
]
