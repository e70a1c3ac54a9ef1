"""Finds the two animals in a frame, and the square crop that puts one of them behind the wall.

- find: `localizer` (the protocol; detections, pair, crop and rejection), `zero_shot` (detectors of transformers; a
  localizer by name), `foreground` (plain backgrounds and two animals in one outline, without weights)
- choose and crop: `pairing` (which box is seen and which is hidden), `crop_search` (the best square; pure), `cropping`
  (for a wall on any side, accepted or rejected; its pixels)

To add a detector, implement `Localizer` and add its name in `zero_shot.load_localizer`.
"""
