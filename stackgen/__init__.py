"""STACK-GEN and the command line.

- STACK-GEN: `prompts/` → `diffusion/` → `localising/` (detectors, pairs, the crop) → `generation/`, and `review/`
- `cli`: the command `stackgen`, which finds its sub-commands in `commands/` and loads them at their first use
- `commands/`: one file a sub-command
"""
