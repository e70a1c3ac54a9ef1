"""What a text-to-image model is asked for: the sentences, and the nouns that it understands.

- `prompt`: the sentence for a class and an attempt, and what a detector is asked for afterwards
- `sentences`: the paper's sentence and the refined ones, for walls of rows and of columns
- `nouns`: reads `animals.tsv`, the 398 animals with a clearer noun (cock → rooster) and the kind of animal (chicken)

Pure: nothing here loads a model. Names are loaded at first use (PEP 562).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
