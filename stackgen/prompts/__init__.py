"""What a text-to-image model is asked for.

- `prompt`: the templates, for walls of rows and of columns (add one here); the prompt for a class and an attempt
- `noun`: what to call a class so that models understand it, from `animals.tsv` (cock → rooster, a chicken) or one's own
"""
