"""Finds the two animals in a frame, and the square crop that puts one of them behind the wall.

- find: `localizer` (the protocol and its detections), `zero_shot` (detectors of transformers; a localizer by name),
  `foreground` (plain backgrounds, without weights) with `silhouette` (two animals in one outline)
- choose and crop: `pairing` (which box is seen and which is hidden), `crop_search` (the best square; pure), `cropping`
  (for a wall on any side, accepted or rejected; its pixels), `outcome` (pair, crop, rejection)

To add a detector, implement `Localizer` and add its name in `zero_shot.load_localizer`.
"""
