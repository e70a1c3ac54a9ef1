"""A text-to-image model that fits into this package: trained on the drawn world, loaded by diffusers like any other.

- what it learns from: `examples` (drawn frames of one or two animals, their prompts, the tokenizer)
- its parts: `projection` (the linear encoder), `networks` (text encoder, denoiser, decoder)
- its training: `tasks` (losses of decoder and denoiser, and their loop), `making` (the stages, up to the pipeline)
- what describes it: `spec` (a training; the shipped weights in `pipeline/`, behind `--preset mini`)
"""
