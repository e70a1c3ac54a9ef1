"""What a text-to-image model is asked for: prompts, and the nouns that it understands.

- `prompt`: the prompt for a class and an attempt; the noun for a class, from `animals.tsv` (cock → rooster, a chicken)
- `sentences`: the templates, for walls of rows and of columns; add a template here
"""
