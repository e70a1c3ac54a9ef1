"""From a recipe and one's own copy of the pictures to the very set; every hash is checked, nothing half is finished."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from tqdm import tqdm

from stackwalls.hub_cards import MANIFEST_NAME, FolderWriter, Manifest, Recipe, stack_mix_features
from stackwalls.model import InputError, file_sha256
from stackwalls.model.images.decoding import BrokenImageError, decode_and_crop
from stackwalls.stackmix.composite import compose
from stackwalls.stackmix.encoding import encode, find_encoder
from stackwalls.stackmix.mix_run import available_cores, quiet_pillow
from stackwalls.stackmix.recipe_pictures import RecipePictures, UnfitPictureError

PART_ROWS = 64
"""Images of a part: what a kill costs at most."""


@dataclass(frozen=True)
class NotRebuilt:
    """An image that could not be rebuilt: its id, which picture of it (or "image"), and the reason."""

    image_id: str
    picture: str
    reason: str


@dataclass(frozen=True)
class Rebuilt:
    """What became of a recipe.

    Attributes:
        manifest: of the finished set; None where it is not finished.
        images: how many the recipe has.
        kept: images that lie in the folder, finished or not.
        not_rebuilt: what could not be; empty where the set is finished.
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
    """Make the set of a recipe from one's own copy of the pictures.

    Every picture must have the SHA-256 that the recipe gives, every image that of its file or, at least, of its
    pixels. If one cannot be rebuilt, the set is not finished: all that cannot be are listed, and the images up to the
    first of them stay in `out` for the next call, which goes on there.

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
    if workers is not None and workers < 1:
        raise InputError(f"Expected at least 1 worker, but got {workers}.")
    pictures = RecipePictures(source, progress=progress)
    images = recipe.manifest.counts["kept"]
    spec = recipe.manifest.spec
    with FolderWriter.open(out, kind="stack-mix", spec=spec, features=stack_mix_features()) as writer:
        if writer.manifest is not None:
            return Rebuilt(writer.manifest, images, images, (), 0, _same_bytes(out, recipe))
        state = _state(writer.state, recipe, out)
        pictures.fetch(_sources(recipe.rows(writer.rows_written)))
        with quiet_pillow():
            problems, other_files = _write(recipe, pictures, writer, state, workers or available_cores(), progress)
        if problems:
            return Rebuilt(None, images, writer.rows_written, problems, other_files, False)
        requested = recipe.manifest.counts["requested"]
        manifest = writer.finish(requested=requested, inputs=recipe.dataset["inputs"])
    return Rebuilt(manifest, images, images, (), other_files, _same_bytes(out, recipe))


def _write(
    recipe: Recipe,
    pictures: RecipePictures,
    writer: FolderWriter,
    state: Mapping[str, Any],
    workers: int,
    progress: bool,
) -> tuple[tuple[NotRebuilt, ...], int]:
    """Make what is missing, part by part, until the first image that cannot be; from there on check alone."""
    problems: list[NotRebuilt] = []
    other_files = int(state["other_files"])
    rejected = [] if writer.rows_written else recipe.rejected()
    total, left = recipe.manifest.counts["kept"], recipe.rows(writer.rows_written)
    with (
        ThreadPoolExecutor(workers) as pool,
        tqdm(
            total=total, initial=writer.rows_written, desc="rebuilding", unit="image", delay=1, disable=not progress
        ) as bar,
    ):
        while rows := list(islice(left, PART_ROWS)):
            made = list(pool.map(lambda row: _image(row, pictures, recipe), rows))
            found = [problem for image in made for problem in image.problems]
            problems += found
            bar.update(len(rows))
            whole = made[: next((number for number, image in enumerate(made) if image.problems), len(made))]
            if whole and len(problems) == len(found):
                other_files += sum(image.other_file for image in whole)
                writer.write_part([image.row for image in whole], rejected, dict(state, other_files=other_files))
                rejected = []
    return tuple(problems), other_files


@dataclass(frozen=True)
class _Image:
    """One image: its row, or what is wrong; and whether only its pixels are the recipe's."""

    row: dict[str, Any]
    problems: tuple[NotRebuilt, ...] = ()
    other_file: bool = False


def _image(row: Mapping[str, Any], pictures: RecipePictures, recipe: Recipe) -> _Image:
    """One composite from its two pictures, as `make_class_rows` makes it."""
    parts, problems = [], []
    for place in ("top", "bottom"):
        name = row[f"{place}_source"]
        try:
            parts.append(decode_and_crop(pictures.read(name, row[f"{place}_sha256"])))
        except (UnfitPictureError, BrokenImageError) as error:
            problems.append(NotRebuilt(row["image_id"], name, str(error)))
    if problems:
        return _Image({}, tuple(problems))
    encoder = find_encoder(recipe.manifest.spec["encoder"])
    pixels = compose(parts[0], parts[1], recipe.manifest.wall)
    data = encode(pixels, encoder)
    same_file = hashlib.sha256(data).hexdigest() == row["image_sha256"]
    if not same_file and hashlib.sha256(pixels.tobytes()).hexdigest() != row["pixels_sha256"]:
        made, here = recipe.dataset["versions"].get("pillow"), recipe.manifest.versions.get("pillow")
        reason = f"other pixels: the set was made with Pillow {made} (the recipe with {here}), install that one"
        return _Image({}, (NotRebuilt(row["image_id"], "image", reason),))
    file = {"bytes": data, "path": row["image_id"] + encoder.suffix}
    kept = {name: value for name, value in row.items() if name not in ("image_sha256", "pixels_sha256")}
    return _Image({"image": file, **kept}, other_file=not same_file)


def _state(state: Mapping[str, Any] | None, recipe: Recipe, out: Path) -> Mapping[str, Any]:
    """How far an earlier call came, or the beginning.

    Raises:
        InputError: if `out` was begun from something else.
    """
    if state is None:
        return {"recipe": recipe.sha256, "other_files": 0}
    if state.get("recipe") != recipe.sha256:
        raise InputError(
            f"{out} was begun with the same settings, but not from this recipe: finish it as it was begun, choose "
            "another folder, or delete this one."
        )
    return state


def _sources(rows: Iterator[dict[str, Any]]) -> Iterator[str]:
    for row in rows:
        yield row["top_source"]
        yield row["bottom_source"]


def _same_bytes(out: Path, recipe: Recipe) -> bool:
    """The manifest holds the hash of every file, so its own hash stands for all of them."""
    return bool(file_sha256(out / MANIFEST_NAME) == recipe.dataset["manifest_sha256"])
