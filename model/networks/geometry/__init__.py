"""What a layer sees.

- `receptive_field` (the pixels that reach it), `seen_rows` (the rows to compute), `wall_fitting` (the walls that fit),
  `inner_maps` (the layers that fit)
"""
