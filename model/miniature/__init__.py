"""The miniature networks, weights included, trained on the drawn world (see docs/miniature.md).

- `masked-vgg16`: sees the upper 170 of 224 pixel rows; `load_model("mini-masked-vgg16")`
- `baseline-vgg16`: the same network without the wall; `load_model("mini-baseline-vgg16")`
- `vit-mini`: a vision transformer without a wall; `load_model("mini-vit")`, or behind one, `walled:mini-vit`
- `classes.txt`: the 100 animals that all of them know, the most different from each other first

Each is a folder as `stackgen train` writes it (`model/`), with the training's `history.jsonl` beside the weights.
"""
