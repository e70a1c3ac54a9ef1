"""What the miniature text-to-image model draws: accepted attempts, seconds a picture, and a classifier's verdict.

    python benchmarks/miniature_judge.py --out judge                # once, minutes
    python benchmarks/miniature.py --judge judge                    # the miniature in the package
    python benchmarks/miniature.py --judge judge --pipeline miniature/pipeline --per-class 4

Each class's pictures are asked for as `stackgen generate` asks for them, attempt by attempt, up to 8. The judge
(`miniature_judge.py`) looks at the upper and at the lower animal of the frame, each by the box that was found, and is
right where its first answer of 100 is the class that was asked for. Nothing is filtered by it.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from miniature_judge import judged
from PIL import Image

from stackwalls.model import load_model, parse_classes
from stackwalls.stackgen.diffusion import Call, Flaw, TextToImage, complete_call, find_model, place
from stackwalls.stackgen.diffusion.miniature.spec import DESCRIPTION
from stackwalls.stackgen.generation.attempts import inspect_frame
from stackwalls.stackgen.generation.generate_spec import GenerateSpec, frame_seed, work_items
from stackwalls.stackgen.localizing.localizer import Rejection
from stackwalls.stackgen.localizing.zero_shot import load_localizer
from stackwalls.stackgen.prompts.prompt import prompt_for

ATTEMPTS = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--pipeline", type=Path, help="a folder that `stackgen miniature` wrote (default: the package's)"
    )
    parser.add_argument("--judge", required=True, help="the folder of the judge")
    parser.add_argument("--classes", type=int, help="only the first so many")
    parser.add_argument("--per-class", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--guidance", type=float)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--sheet", type=Path, help="write the accepted pictures to this PNG")
    args = parser.parse_args()

    source = find_model("mini", None, None, "cpu") if args.pipeline is None else _folder(args.pipeline)
    placement, localizer = place("cpu", "float32"), load_localizer("foreground")
    call = complete_call(Call(args.steps, args.guidance), source)
    spec = GenerateSpec(source, call, placement.dtype, "foreground", localizer.revision, classes=source.synsets)
    if args.classes:
        spec = replace(spec, classes=source.synsets[: args.classes])
    spec = replace(spec, per_class=args.per_class, seed=args.seed)
    judge = load_model(args.judge)
    model = TextToImage.load(source, call, placement)
    rows, sheet = [], []
    model.draw([prompt_for(0, 0).text], [0])  # warm up
    for item in work_items(spec):
        for attempt in range(ATTEMPTS):
            began = time.perf_counter()
            prompt = prompt_for(item.label, attempt)
            (frame,) = model.draw([prompt.text], [frame_seed(spec.seed, item, attempt)])
            assert not isinstance(frame, Flaw), frame
            (detections,) = localizer.locate([frame], [prompt.nouns])
            found = inspect_frame(frame, detections, spec.band)
            row = {"label": item.label, "seconds": time.perf_counter() - began, "accepted": False}
            rows.append(row)
            if isinstance(found, Rejection):
                continue
            row |= {
                "accepted": True,
                "right": judged(judge, frame, [found["seen_box"], found["hidden_box"]], item.label),
            }
            sheet.append(np.asarray(frame))
            break
    print(json.dumps(_summary(rows, args.per_class), indent=1))
    if args.sheet:
        _write_sheet(sheet, args.sheet)


def _folder(folder: Path):
    described = json.loads((folder / DESCRIPTION).read_text())
    mini = find_model("mini", None, None, "cpu").preset
    return replace(
        find_model("auto", str(folder), None, "cpu"), preset=mini, synsets=tuple(described["spec"]["classes"])
    )


def _summary(rows: list[dict], per_class: int) -> dict:
    accepted = [row for row in rows if row["accepted"]]
    right = np.array([row["right"] for row in accepted])
    labels = np.array([row["label"] for row in accepted])
    asked = sorted({row["label"] for row in rows})
    names = {entry.index: entry.name for entry in parse_classes(tuple(asked))}
    by_class = {}
    for label in asked:
        own = right[labels == label]
        tries = sum(row["label"] == label for row in rows)
        by_class[names[label]] = {
            "label": label,
            "accepted": f"{len(own)}/{per_class}",
            "attempts": tries,
            "both right": f"{int(own.all(axis=1).sum()) if len(own) else 0}/{len(own)}",
        }
    return {
        "classes": len(asked),
        "attempts": len(rows),
        "accepted": len(accepted),
        "share of attempts accepted": round(len(accepted) / len(rows), 3),
        "both halves right": round(float(right.all(axis=1).mean()), 3),
        "upper right": round(float(right[:, 0].mean()), 3),
        "lower right": round(float(right[:, 1].mean()), 3),
        "seconds an attempt": round(float(np.mean([row["seconds"] for row in rows])), 3),
        "seconds an accepted picture": round(sum(row["seconds"] for row in rows) / max(1, len(accepted)), 3),
        "threads": torch.get_num_threads(),
        "by class": by_class,
    }


def _write_sheet(frames: list[np.ndarray], path: Path, columns: int = 16) -> None:
    frames = frames + [np.zeros_like(frames[0])] * (-len(frames) % columns)
    rows = [np.hstack(frames[first : first + columns]) for first in range(0, len(frames), columns)]
    picture = Image.fromarray(np.vstack(rows))
    picture.reduce(2).save(path)


if __name__ == "__main__":
    main()
