"""Top-1 of the miniature vision transformer on drawn animals, without a wall and behind both kinds of walls.

    python benchmarks/miniature_walls.py [--each 5]

Prints a Markdown table: a row per wall, one image of each of 100 animals per seed, seeds 6,000 and up, which neither
its training (1,000,000 and up) nor the choice of its best epoch (0 to 19) saw.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from PIL import Image

from stackwalls.model import USUAL_TRANSFORM, class_names, load_model, to_input
from stackwalls.model.images.drawn import draw

FIRST_SEED = 6_000
WALLS = ("bottom:64", "top:64", "left:64", "right:64", "bottom:112", "box:80:80:144:144")


def main(each: int) -> None:
    whole = load_model("mini-vit")
    indices = [class_names().index(name) for name in whole.class_names or ()]
    labels = torch.arange(len(indices)).repeat(each)
    drawn = [draw(index, FIRST_SEED + number) for number in range(each) for index in indices]
    images = to_input(torch.from_numpy(np.stack([USUAL_TRANSFORM(Image.fromarray(pixels)) for pixels in drawn])))

    def top1(model: torch.nn.Module) -> str:
        with torch.inference_mode():
            found = torch.cat([model(part).argmax(1) for part in images.split(50)])
        return f"{100 * (found == labels).float().mean():.1f} %"

    print(f"{len(images)} images, without a wall: {top1(whole)}\n\n| wall | cut | sink |\n|---|---|---|")
    for wall in WALLS:
        found = [top1(load_model(f"{kind}:mini-vit", wall=wall)) for kind in ("walled", "sink")]
        print(f"| `{wall}` | {' | '.join(found)} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--each", type=int, default=5, help="images of each animal")
    main(parser.parse_args().each)
