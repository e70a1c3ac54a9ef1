"""One evaluation, from its spec to rows.

- `evaluation_spec`: the settings; `runner`: `evaluate`, which composes the rest
- `blocks` (of images; their rows on disk, in a run that was killed, that several processes share, or that adds methods
  to finished results), `block_run` (a block to rows, by `block_workers` on a cluster), `measuring` (a batch through one
  explainer)
- `identity` (hashes that identify a run and its methods), `provenance` (what readers must know of a run)
- `samples` (maps kept for figures)
"""
