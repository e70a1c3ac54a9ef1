"""One evaluation, from its spec to rows.

- `evaluation_spec`: the settings; `runner`: `evaluate`, which composes the rest
- `blocks` (of images), `block_run` (a block to rows), `measuring` (a batch through one explainer), `block_store` (rows
  on disk), `unfinished` (a run that was killed, or that several processes share)
- `identity` (which run, and which method, it is), `provenance` (what the run was, for readers)
- `samples` (maps kept for figures)
"""
