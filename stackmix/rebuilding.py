"""From a recipe and one's own copy of the images to the very same set; every hash is checked."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path, PurePosixPath
from typing import Any

from stackwalls.hub_cards import MANIFEST_NAME, FolderWriter, Manifest, Recipe
from stackwalls.model.files import file_sha256, read_bounded
from stackwalls.model.images import LabeledImages, open_images
from stackwalls.model.images.decoding import MAX_BYTES, BrokenImageError, decode_and_crop
from stackwalls.model.images.image_folder import files_below
from stackwalls.model.images.opening import files_in
from stackwalls.stackmix.composite import compose, encode
from stackwalls.stackmix.mixing import check_workers, image_pool


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
        kept: how many are in the folder.
        not_rebuilt: what could not be rebuilt.
        other_files: images with the recipe's pixels in another file (an encoder of another version).
        same_bytes: whether every file of the set, its manifest too, is the original's to the byte.
    """

    manifest: Manifest | None
    images: int
    kept: int
    not_rebuilt: tuple[NotRebuilt, ...]
    other_files: int
    same_bytes: bool


def rebuild(
    recipe: Recipe, source: str, out: str | Path, *, workers: int | None = None, progress: bool = False
) -> Rebuilt:
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
    out = Path(out)
    sources = RecipePictures(source, progress=progress)
    kept = images = recipe.manifest.counts["kept"]
    problems: list[NotRebuilt] = []
    other_files = 0
    spec, origin = recipe.manifest.spec, {"recipe": recipe.sha256}
    with FolderWriter.open(out, kind="stack-mix", spec=spec, origin=origin) as writer:
        manifest = writer.manifest
        if manifest is None:
            numbered = ((f"row-{number:08d}", row) for number, row in enumerate(recipe.rows()))
            missing = [(name, row) for name, row in numbered if writer.record(name) is None]
            sources.fetch(row[f"{place}_source"] or "" for _, row in missing for place in ("top", "bottom"))
            with image_pool("rebuilding", images, images - len(missing), workers, progress=progress) as (pool, bar):
                for found in pool.map(partial(_write_image, recipe, sources, writer), missing):
                    problems += found
                    bar.update()
            records = [record for record in map(writer.record, writer.names()) if record is not None]
            other_files, kept = sum(bool(record.notes["other_file"]) for record in records), len(records)
            if not problems:
                requested = recipe.manifest.counts["requested"]
                inputs, rejected = recipe.dataset["inputs"], recipe.rejected()
                manifest = writer.finish(requested=requested, inputs=inputs, rejected=rejected)
    # the manifest holds the hash of every file, so its own hash stands for all
    same = not problems and file_sha256(out / MANIFEST_NAME) == recipe.dataset["manifest_sha256"]
    return Rebuilt(manifest, images, kept, tuple(problems), other_files, same)


class RecipePictures:
    """Finds a recipe's images by their id or their file's name alone, and returns none whose SHA-256 differs.

    Args:
        source: what `open_images` opens; labels are not needed, as the recipe has them. In a folder of images,
            sub-folders may be in any order.

    Raises:
        InputError: if there is no such source.
    """

    def __init__(self, source: str, *, progress: bool = False) -> None:
        self._root = Path(source)
        self._source: LabeledImages | None = None  # a folder of images needs none: files are found by name
        if not self._root.is_dir() or files_in(self._root) or source == "drawn":
            self._source = open_images(source, progress=progress)

    def fetch(self, image_ids: Iterable[str]) -> None:
        """Announce which images will be read; see `LabeledImages.fetch`.

        Raises:
            RunError: if the source cannot be read.
        """
        if self._source is not None:
            rows = (image_id.rpartition("#") for image_id in set(image_ids))
            self._source.fetch([f"{file}#{row}" for file, hash, row in rows if hash and row.isdecimal()])

    def read(self, image_id: str, sha256: str) -> bytes:
        """The encoded file of an image.

        Raises:
            BrokenImageError: if it is not there, or only with another SHA-256.
        """
        own = self._own(image_id)
        if own is not None and hashlib.sha256(own).hexdigest() == sha256:
            return own
        for path in self._files_by_name.get(PurePosixPath(image_id).name, ()):
            with suppress(OSError):
                data = read_bounded(path, MAX_BYTES)
                if hashlib.sha256(data).hexdigest() == sha256:
                    return data
        raise BrokenImageError("missing from the source" if own is None else "changed: its SHA-256 is not the recipe's")

    def _own(self, image_id: str) -> bytes | None:
        """The image of that very id; a recipe may come from anybody, so its ids must stay inside the folder."""
        path = PurePosixPath(image_id)
        try:
            if self._source is not None:
                return self._source.read(image_id)
            return None if path.is_absolute() or ".." in path.parts else read_bounded(self._root / image_id, MAX_BYTES)
        except (KeyError, ValueError, OSError):  # an id that this source does not have
            return None

    @cached_property
    def _files_by_name(self) -> dict[str, list[Path]]:
        """Every file below a folder of images by its name; listed only when an image is not where its id says."""
        found: dict[str, list[Path]] = {}
        if self._source is None:
            for path in files_below(self._root, "."):
                found.setdefault(PurePosixPath(path).name, []).append(self._root / path)
        return found


def _write_image(
    recipe: Recipe, sources: RecipePictures, writer: FolderWriter, item: tuple[str, Mapping[str, Any]]
) -> list[NotRebuilt]:
    """One composite from its two source images, as `make_class_rows` makes it; or why it cannot be made."""
    name, row = item
    parts, problems = [], []
    for place in ("top", "bottom"):
        image_id = row[f"{place}_source"] or ""  # a recipe may come from anybody
        try:
            parts.append(decode_and_crop(sources.read(image_id, row[f"{place}_sha256"]), recipe.manifest.transform))
        except BrokenImageError as error:
            problems.append(NotRebuilt(row["image_id"], image_id, str(error)))
    if problems:
        return problems
    encoder = recipe.manifest.spec["encoder"]
    pixels = compose(parts[0], parts[1], recipe.manifest.wall)
    data = encode(pixels, encoder)
    same_file = hashlib.sha256(data).hexdigest() == row["image_sha256"]
    if not same_file and hashlib.sha256(pixels.tobytes()).hexdigest() != row["pixels_sha256"]:
        made, here = recipe.dataset["versions"].get("pillow"), recipe.manifest.versions.get("pillow")
        reason = f"other pixels: the set was made with Pillow {made} (the recipe with {here}), install that one"
        return [NotRebuilt(row["image_id"], "image", reason)]
    file = {"bytes": data, "path": f"{row['image_id']}.{encoder}"}
    kept = {key: value for key, value in row.items() if key not in ("image_sha256", "pixels_sha256")}
    writer.write(name, [{"image": file, **kept}], notes={"other_file": not same_file})
    return []
