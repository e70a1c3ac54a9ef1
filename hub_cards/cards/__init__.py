"""The README.md of a published folder: rendered from the manifest, the rows and results, never typed by hand.

- `facts`: what a dataset's card is made from, and the command that makes the dataset again
- `card`: the card of any finished folder by its kind; `state_license`
- `dataset_card`: its YAML and text, by the templates in `hub_cards/templates/`
- `model_card`: the card of a network
- `results_card`: the cards of published results and of a leaderboard
- `license`: the license of a folder, derived or stated, never a default
- `card_check`: the Hub's rules, checked before anything is uploaded
- `assets`: the drawing of the wall and the first images

To change what a card says, edit its template; to add a value to it, pass the value in `render_dataset_card`.
"""
