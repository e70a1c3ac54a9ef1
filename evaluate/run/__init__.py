"""One evaluation, from its spec to rows.

- `evaluation_spec`: the settings; `runner`: `evaluate`, which composes the rest
- `blocks` (of images; their rows on disk, in a run that was killed or that several processes share), `block_run` (a
  block to rows), `measuring` (a batch through one explainer)
- `identity` (hashes that identify a run and its methods), `provenance` (what readers must know of a run)
- `samples` (maps kept for figures), `adding` (a method to finished results)
"""
