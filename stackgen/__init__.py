"""STACK-GEN and the command line.

- STACK-GEN: `prompts/` → `diffusion/` → `localizing/` (detectors, pairs, the crop) → `generation/`, and `review/`
- `cli`: the command `stackgen`
- `commands/`: one file per sub-command
"""
