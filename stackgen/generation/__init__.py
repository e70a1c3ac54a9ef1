"""STACK-GEN: attempts, accepted and rejected, until every class has its images.

prompts → diffusion → localizing → crop → dataset folder.

- `generate_spec`: what describes a set, its images, their order and seeds
- `attempts`: from a frame to a row or the reason why not; drawing and inspecting side by side; when an image is done
- `generating`: `generate`, this process's share and the finished folder; `image_workers`: the images on a cluster
"""
