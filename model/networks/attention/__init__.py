"""Vision transformers behind a wall: attention that does not cross it, and a head that reads the seen tokens.

- `walled_transformer` (the network), `attention_wall` (what each attention finds), `image_tokens` (how the tokens stand
  on the image)
"""
