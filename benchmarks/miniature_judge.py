"""Train the judge of benchmarks/miniature.py: which animal is this, in a stack of two?

    python benchmarks/miniature_judge.py --out judge          # minutes on one core
    python benchmarks/miniature.py --judge judge

It begins with the miniature baseline VGG16, which knows single animals, and goes on with the upper and the lower animal
of drawn stacks, each cut out by its box, made a square by repeating the edges, and enlarged to 224 pixels: softer,
recolored, its box a little off. It never sees a generated picture. At the end it says how often it is right about both
animals of drawn stacks that it has not seen: no generated set can do better than drawn ones.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from stackwalls.model import MaskedVGG16, load_model, to_input
from stackwalls.model.images.drawn import draw_scene
from stackwalls.stackgen.diffusion.miniature.spec import MiniatureSpec, miniature_synsets

FIRST_SEED, FRESH_SEED = 3_000_000, 4_000_000
BATCH, RATE = 32, 1e-3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=500, help=f"of {BATCH} animals each")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    labels = MiniatureSpec(miniature_synsets()).labels()
    judge = load_model("mini-baseline-vgg16")
    places = {label: place for place, label in enumerate(judge.class_indices)}
    optimizer = torch.optim.AdamW(judge.parameters(), RATE, weight_decay=0.05, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, args.steps, pct_start=0.15)
    judge.train()
    began = time.monotonic()
    for step in range(args.steps):
        rng = np.random.default_rng((args.seed, step))
        pictures, wanted = _batch(labels, rng)
        with torch.autocast("cpu", torch.bfloat16):
            logits = judge(to_input(torch.from_numpy(pictures)))
        loss = F.cross_entropy(logits.float(), torch.tensor([places[label] for label in wanted]))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(judge.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 50 == 0:
            print(f"step {step}, loss {loss.item():.3f}, {time.monotonic() - began:.0f} s", flush=True)
    judge.eval().save_pretrained(args.out)
    print(json.dumps(fresh_accuracy(judge, labels, 4)))


def cut_out(frame: Image.Image, box: list[float]) -> np.ndarray:
    """`(224, 224, 3)` uint8: an animal by its box and a thirtieth more, a square by repeating the edges."""
    x0, y0, x1, y1 = box
    across, down = 0.03 * (x1 - x0), 0.03 * (y1 - y0)
    corners = [int(x0 - across), int(y0 - down), int(np.ceil(x1 + across)), int(np.ceil(y1 + down))]
    room = [0, 0, frame.width, frame.height]
    inside = [max(a, b) for a, b in zip(corners[:2], room[:2], strict=True)]
    inside += [min(a, b) for a, b in zip(corners[2:], room[2:], strict=True)]
    pixels = np.asarray(frame.convert("RGB").crop(tuple(inside)))
    height, width = pixels.shape[:2]
    side = int(1.1 * max(height, width))
    top, left = (side - height) // 2, (side - width) // 2
    square = np.pad(pixels, ((top, side - height - top), (left, side - width - left), (0, 0)), mode="edge")
    return np.asarray(Image.fromarray(square).resize((224, 224), Image.Resampling.BICUBIC))


def fresh_accuracy(judge: MaskedVGG16, labels: list[int], each: int) -> dict[str, float]:
    """How often it is right about drawn stacks that it has not seen."""
    right = []
    for label in labels:
        for number in range(each):
            scene = draw_scene(label, FRESH_SEED + number, size=192, height=288, animals=2, mirror=False, tilt=3)
            frame = Image.fromarray(scene.image)
            right.append(judged(judge, frame, [list(map(float, box)) for box in scene.boxes], label))
    found = np.array(right)
    return {
        "drawn stacks": len(found),
        "both right": round(float(found.all(axis=1).mean()), 3),
        "upper right": round(float(found[:, 0].mean()), 3),
        "lower right": round(float(found[:, 1].mean()), 3),
    }


def judged(judge: MaskedVGG16, frame: Image.Image, boxes: list[list[float]], label: int) -> list[bool]:
    """Whether each animal is of the class, in the judge's opinion."""
    parts = np.stack([cut_out(frame, box) for box in boxes])
    with torch.inference_mode():
        answers = judge(to_input(torch.from_numpy(parts))).argmax(1).tolist()
    return [judge.class_indices[answer] == label for answer in answers]


def _batch(labels: list[int], rng: np.random.Generator) -> tuple[np.ndarray, list[int]]:
    """Both animals of so many stacks."""
    pictures, wanted = [], []
    while len(pictures) < BATCH:
        label = int(rng.choice(labels))
        seed = FIRST_SEED + int(rng.integers(900_000))
        scene = draw_scene(label, seed, size=192, height=288, animals=2, mirror=False, tilt=3)
        for box in scene.boxes:
            size = np.array([box[2] - box[0], box[3] - box[1]] * 2)
            moved = np.array(box) + 0.05 * size * rng.uniform(-1, 1, 4)
            pictures.append(_changed(cut_out(Image.fromarray(scene.image), moved.tolist()), rng))
            wanted.append(label)
    return np.stack(pictures), wanted


def _changed(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Softer, recolored."""
    small = int(rng.uniform(70, 224))
    image = Image.fromarray(picture).resize((small, small), Image.Resampling.BILINEAR)
    pixels = np.asarray(image.resize((224, 224), Image.Resampling.BICUBIC)).astype(np.float32)
    pixels = pixels * (1 + rng.uniform(-0.1, 0.1, 3)) + rng.uniform(-12, 12)
    return pixels.clip(0, 255).astype(np.uint8)


if __name__ == "__main__":
    main()
