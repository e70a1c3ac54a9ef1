"""What people look at: tables, figures and the report of finished results.

- `rendering` writes all of it into a results folder (`rendered` names the files)
- `table` (Table 1), `table_text` (aligned and Markdown tables), `number_format`, `headline` (the result in a sentence)
- `page` (one HTML file from `templates/`) with `distributions` and `gallery`; `figures` (the paper's 1, 7, 8, 9)
- comparisons image by image: `paired_values`, `method_comparison`, `baseline_comparison`
- `index_entries`: what a network's card on the Hub says of an evaluation

Names are loaded at first use (PEP 562); `__init__.pyi` lists them.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
