"""What the README.md of a published folder says: rendered from the manifest, the record and results, never typed.

`facts` (what a card is made from) → `front_matter` (the YAML) and `dataset_card` (the text, by the templates in
`hub_cards/templates/`) → `card_check` (the Hub's rules, before anything is pushed). Beside them: `licence` (derived or
asked for, never a default), `regeneration` (the command that makes the folder again), `assets` (the wall's picture,
the first images), `restating` (a licence for a folder that is finished), `model_card`, and `rendering` (Jinja).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
