"""What a text-to-image model is asked for.

- `prompt`: the templates, for walls of rows and of columns (add one here); the prompt for a class and an attempt; the
  noun for a class that models understand, from `animals.tsv` (cock → rooster, a chicken)
"""
