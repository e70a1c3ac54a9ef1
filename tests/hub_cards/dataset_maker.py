"""Small datasets for the tests of this folder, importable by child processes too."""

import io
import json
import os
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from stackwalls.hub_cards import Card, FolderWriter, Manifest, Succession

SPEC: dict[str, Any] = {
    "source": "val",
    "classes": ["n01440764", "n01443537"],
    "per_class": 1,
    "seed": 0,
    "wall": "bottom:54",
    "encoder": "png",
}


@lru_cache(maxsize=512)
def pixels(number: int) -> np.ndarray:
    """`(224, 224, 3)` uint8, another one for each number."""
    rows, columns = np.mgrid[:224, :224]
    return np.stack([rows + number, columns, rows * 0 + number], axis=2).astype(np.uint8)


@lru_cache(maxsize=512)
def png(number: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels(number)).save(file, "PNG")
    return file.getvalue()


def make_row(number: int) -> dict[str, Any]:
    return {
        "image": {"bytes": png(number), "path": f"row{number:04d}.png"},
        "label": number % 1000,
        "image_id": f"row{number:04d}",
        "top_source": f"n01440764/{number}.JPEG",
        "bottom_source": None if number % 7 == 3 else f"n01440764/{number + 1}.JPEG",
        "top_sha256": f"{number:064x}",
        "bottom_sha256": f"{number + 1:064x}",
    }


def open_writer(path: Path, *, succession: Succession | None = None, **changes: Any) -> FolderWriter:
    spec = SPEC | changes
    return FolderWriter.open(path, kind="stack-mix", spec=spec, succession=succession)


def parts_of(rows: int, size: int) -> Iterator[Sequence[int]]:
    return (range(start, min(start + size, rows)) for start in range(0, rows, size))


def plain_card(manifest: Manifest, row: dict[str, Any]) -> str:
    """A card that takes no time; the real one takes longer than all else in a small folder."""
    return f"{manifest.counts} {row['image_id']}\n"


def write_folder(
    path: Path, rows: int = 12, part: int = 5, rejected: int = 2, card: Card | None = None, **changes: Any
) -> Manifest:
    """Write a folder from the beginning or resume it, as a command does."""
    with open_writer(path, **changes) as writer:
        if writer.manifest is not None:
            return writer.manifest
        for numbers in parts_of(rows, part):
            if writer.record(name := f"{numbers[0]:06d}") is None:
                last = numbers[-1] == rows - 1
                entries = [{"item": f"bad{n}.JPEG", "reason": "broken"} for n in range(rejected)] if last else []
                writer.write(name, [make_row(n) for n in numbers], entries)
        manifest = writer.finish(inputs={"index_sha256": "0" * 64}, card=card)
        assert manifest is not None
        return manifest


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def resealed(folder: Path, **changes: Any) -> None:
    """Change the manifest of a folder as somebody would who knows how it is sealed."""
    from dataclasses import replace

    path = folder / "manifest.json"
    manifest = replace(Manifest.from_json(path.read_text()), **json.loads(json.dumps(changes)))
    path.write_text(manifest.to_json())


KILLED = 9
"""Exit status of a child process that ends as a kill ends it."""

CALLS = ("mkdir", "replace", "fsync", "unlink", "rmdir", "open")
"""Every way in which the writer changes the disk, but for the bytes inside a temporary file."""


def write_until_call(number: int, folder: Path, **options: Any) -> None:
    """In a child process: write the folder, and end before the `number`-th of `CALLS` without any clean-up."""
    count = 0

    def ending(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal count
            count += 1
            if count == number:
                os._exit(KILLED)
            return real(*args, **kwargs)

        return call

    for name in CALLS:
        setattr(os, name, ending(getattr(os, name)))
    write_folder(folder, **options)
    os._exit(0)
