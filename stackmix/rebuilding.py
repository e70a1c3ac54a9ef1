"""From a recipe and one's own copy of the images to the very same set; every hash is checked."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tqdm import tqdm

from stackwalls.hub_cards import MANIFEST_NAME, FolderWriter, Manifest, Recipe
from stackwalls.model import file_sha256
from stackwalls.model.images.decoding import BrokenImageError, decode_and_crop
from stackwalls.stackmix.composite import compose, encode, find_encoder
from stackwalls.stackmix.mixing import check_workers, quiet_pillow, thread_pool
from stackwalls.stackmix.recipe_pictures import RecipePictures, UnfitPictureError


@dataclass(frozen=True)
class NotRebuilt:
    """An image that could not be rebuilt: its id, which source image of it (or "image"), and the reason."""

    image_id: str
    picture: str
    reason: str


@dataclass(frozen=True)
class Rebuilt:
    """What became of a recipe.

    Attributes:
        manifest: of the finished set; None if it is not finished.
        images: how many the recipe has.
        kept: images that are in the folder, finished or not.
        not_rebuilt: what could not be rebuilt; empty if the set is finished.
        other_files: images with the recipe's pixels, but in another file (an encoder of another version).
        same_bytes: whether every file of the set, its manifest too, is the original's to the byte.
    """

    manifest: Manifest | None
    images: int
    kept: int
    not_rebuilt: tuple[NotRebuilt, ...]
    other_files: int
    same_bytes: bool


def rebuild(recipe: Recipe, source: str, out: Path, *, workers: int | None = None, progress: bool = False) -> Rebuilt:
    """Make the set of a recipe from one's own copy of the images.

    Every source image must have the SHA-256 that the recipe gives, every image that of its file or, at least, of its
    pixels. If one cannot be rebuilt, the set is not finished: all that cannot be are listed, and the others stay in
    `out` for the next call.

    Args:
        recipe: as `open_recipe` gives it.
        source: see `RecipePictures`.
        out: the dataset folder, new, empty, or begun from this recipe.
        workers: threads; all cores by default.
        progress: show progress bars on stderr.

    Raises:
        InputError: if there is no such source, or `out` holds something else.
        RunError: if the source cannot be read, or the disk is full.
    """
    check_workers(workers)
    sources = RecipePictures(source, progress=progress)
    images = recipe.manifest.counts["kept"]
    spec, origin = recipe.manifest.spec, {"recipe": recipe.sha256}
    with FolderWriter.open(out, kind="stack-mix", spec=spec, origin=origin) as writer:
        if writer.manifest is not None:
            return Rebuilt(writer.manifest, images, images, (), 0, _same_bytes(out, recipe))
        problems = _write_missing(recipe, sources, writer, workers, progress)
        records = [record for record in map(writer.record, writer.names()) if record is not None]
        other_files = sum(bool(record.notes["other_file"]) for record in records)
        if problems:
            return Rebuilt(None, images, len(records), problems, other_files, False)
        requested = recipe.manifest.counts["requested"]
        inputs, rejected = recipe.dataset["inputs"], recipe.rejected()
        manifest = writer.finish(requested=requested, inputs=inputs, rejected=rejected)
    return Rebuilt(manifest, images, images, (), other_files, _same_bytes(out, recipe))


def _write_missing(
    recipe: Recipe, sources: RecipePictures, writer: FolderWriter, workers: int | None, progress: bool
) -> tuple[NotRebuilt, ...]:
    """Make the images that are missing, each an item by its number; what could not be made."""
    total = recipe.manifest.counts["kept"]
    numbered = ((f"row-{number:08d}", row) for number, row in enumerate(recipe.rows()))
    missing = [(name, row) for name, row in numbered if writer.record(name) is None]
    sources.fetch(row[f"{place}_source"] for _, row in missing for place in ("top", "bottom"))
    problems: list[NotRebuilt] = []
    done = total - len(missing)
    with (
        quiet_pillow(),
        tqdm(total=total, initial=done, desc="rebuilding", unit="image", delay=1, disable=not progress) as bar,
        thread_pool(workers) as pool,
    ):
        for found in pool.map(partial(_write_image, recipe, sources, writer), missing):
            problems += found
            bar.update()
    return tuple(problems)


def _write_image(
    recipe: Recipe, sources: RecipePictures, writer: FolderWriter, item: tuple[str, Mapping[str, Any]]
) -> list[NotRebuilt]:
    """One composite from its two source images, as `make_class_rows` makes it; or why it cannot be made."""
    name, row = item
    parts, problems = [], []
    for place in ("top", "bottom"):
        image_id = row[f"{place}_source"]
        try:
            parts.append(decode_and_crop(sources.read(image_id, row[f"{place}_sha256"])))
        except (UnfitPictureError, BrokenImageError) as error:
            problems.append(NotRebuilt(row["image_id"], image_id, str(error)))
    if problems:
        return problems
    encoder = find_encoder(recipe.manifest.spec["encoder"])
    pixels = compose(parts[0], parts[1], recipe.manifest.wall)
    data = encode(pixels, encoder)
    same_file = hashlib.sha256(data).hexdigest() == row["image_sha256"]
    if not same_file and hashlib.sha256(pixels.tobytes()).hexdigest() != row["pixels_sha256"]:
        made, here = recipe.dataset["versions"].get("pillow"), recipe.manifest.versions.get("pillow")
        reason = f"other pixels: the set was made with Pillow {made} (the recipe with {here}), install that one"
        return [NotRebuilt(row["image_id"], "image", reason)]
    file = {"bytes": data, "path": row["image_id"] + encoder.suffix}
    kept = {key: value for key, value in row.items() if key not in ("image_sha256", "pixels_sha256")}
    writer.write(name, [{"image": file, **kept}], notes={"other_file": not same_file})
    return []


def _same_bytes(out: Path, recipe: Recipe) -> bool:
    """The manifest holds the hash of every file, so its own hash stands for all of them."""
    return bool(file_sha256(out / MANIFEST_NAME) == recipe.dataset["manifest_sha256"])
