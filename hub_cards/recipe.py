"""STACK-MIX without pixels: the sources and hashes of each image, from which owners of the source rebuild the set."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from shlex import quote
from typing import Any

import huggingface_hub

from stackwalls.hub_cards.cards.license import License
from stackwalls.hub_cards.layout import REJECTED_NAME, check_present, record_batches
from stackwalls.hub_cards.manifest import MANIFEST_NAME, RECIPE_KIND, Manifest
from stackwalls.hub_cards.row_reader import RowReader, rejected_in
from stackwalls.hub_cards.writing.folder_writer import FolderWriter
from stackwalls.model import (
    HubId,
    InputError,
    RunError,
    file_sha256,
    hub_failures,
    is_hub_url,
    quiet_client,
)
from stackwalls.model.documents import OBJECT, SHA256, TEXT, checked, each, keys
from stackwalls.model.images import decode

_PART_ROWS = 500

_INPUTS = keys({"dataset": keys({"inputs": OBJECT, "versions": each(TEXT, "object"), "manifest_sha256": SHA256})})
_SPEC = keys({"encoder": {"enum": ["png", "webp"]}})
"""What rebuilding needs of a recipe's manifest, beside what every manifest has."""


@dataclass(frozen=True)
class Recipe:
    """A recipe on disk, with every file checked against its manifest.

    Attributes:
        folder: where it is.
        manifest: its own; the `spec` is that of the set.
        sha256: of its manifest file; identifies the recipe.
    """

    folder: Path
    manifest: Manifest
    sha256: str

    @property
    def dataset(self) -> Mapping[str, Any]:
        """The "inputs", "versions" and "files" of the set's manifest, and its "manifest_sha256"."""
        return dict(self.manifest.inputs["dataset"])

    def rows(self) -> Iterator[dict[str, Any]]:
        """The rows in order."""
        return (row for batch in record_batches(self.folder, self.manifest) for row in batch.to_pylist())

    def rejected(self) -> list[dict[str, str]]:
        """{"item", "reason"} of each sample that was rejected when the set was made."""
        return rejected_in(self.folder)


def recipe_folder(folder: str | Path, out: str | Path, license: License | None = None) -> Path:
    """Make the recipe of a finished STACK-MIX folder, or resume making it; it contains no pixels.

    Args:
        folder: the set.
        out: a new or empty folder, or one that already holds this recipe.
        license: of the recipe; by default the one that the set states.

    Raises:
        InputError: if `folder` is not a finished STACK-MIX folder, or `out` holds something else.
        RunError: if a file of the set is damaged, or the disk refuses.
    """
    folder, out = Path(folder), Path(out)
    reader = RowReader(folder)
    manifest = reader.manifest
    if manifest.kind != "stack-mix":
        raise InputError(f"{folder} is a {manifest.kind} folder: a recipe can only be made of a stack-mix folder.")
    inputs: dict[str, Any] = {
        "dataset": {
            "inputs": manifest.inputs,
            "versions": manifest.versions,
            "files": manifest.files,
            "manifest_sha256": file_sha256(folder / MANIFEST_NAME),
        },
        "transform": {"resize": manifest.transform.resize, "crop": manifest.transform.size},
    }
    stated = str(license) if license else manifest.inputs.get("licence")
    inputs |= {"licence": stated} if stated else {}
    origin = {"dataset": inputs["dataset"]["manifest_sha256"]}
    with FolderWriter.open(out, kind=RECIPE_KIND, spec=manifest.spec, origin=origin) as writer:
        if writer.manifest is not None:
            if writer.manifest.inputs != inputs:
                raise InputError(f"{out} holds the recipe of another set: choose another folder, or delete this one.")
            return out
        rows = _set_rows(folder, manifest)
        for number, part in enumerate(iter(lambda: list(islice(rows, _PART_ROWS)), [])):
            if writer.record(name := f"part-{number:06d}") is None:
                writer.write(name, [_hashed(row) for row in part])
        writer.finish(requested=manifest.counts["requested"], inputs=inputs, rejected=reader.rejected())
    return out


def _set_rows(folder: Path, manifest: Manifest) -> Iterator[dict[str, Any]]:
    for name in manifest.shards():
        if file_sha256(folder / name) != manifest.files[name]["sha256"]:
            advice = f"`stackgen verify {quote(str(folder))}` says more"
            raise RunError(f"{folder / name} was changed after it was made: {advice}.")
        for batch in record_batches(folder, manifest, shards=[name]):
            yield from batch.to_pylist()


def _hashed(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row with the hashes of its image instead of the image."""
    data = row["image"]["bytes"]
    hashes = {
        "image_sha256": hashlib.sha256(data).hexdigest(),
        "pixels_sha256": hashlib.sha256(decode(data).tobytes()).hexdigest(),
    }
    return {name: value for name, value in row.items() if name != "image"} | hashes


def open_recipe(source: str | Path) -> Recipe:
    """Open a recipe, a folder or `user/name[@revision]` on the Hugging Face Hub, and check every hash.

    Raises:
        InputError: if there is no such recipe, it is a set with pixels, or a file was changed.
        RunError: if the Hub refuses or cannot be reached.
    """
    text, path = str(source), Path(source)
    if is_hub_url(text) or not path.is_dir():
        found = None if path.exists() else HubId.parse(text)
        if found is None or found.split is not None:
            raise InputError(f"There is no recipe {text}: expected a folder, or user/name[@revision] on the Hub.")
        path = _download(found, text)
    manifest = _manifest(path, text)
    check_present(path, manifest)
    for name in (*manifest.shards(), REJECTED_NAME):
        if name not in manifest.files or file_sha256(path / name) != manifest.files[name]["sha256"]:
            raise InputError(f"{name} of the recipe {text} was changed: its SHA-256 is not the manifest's.")
    return Recipe(path, manifest, file_sha256(path / MANIFEST_NAME))


def _manifest(folder: Path, text: str) -> Manifest:
    manifest = Manifest.read(folder)
    if manifest.kind != RECIPE_KIND:
        finished = f"a finished {manifest.kind} set: load it directly (`datasets.load_dataset`)"
        raise InputError(f"{text} is not a recipe but {finished}.")
    try:
        checked(manifest.inputs, _INPUTS)
        checked(manifest.spec, _SPEC)
    except ValueError as error:
        raise InputError(f"The manifest of the recipe {text} is not one of this package: {error}.") from error
    return manifest


def _download(found: HubId, text: str) -> Path:
    """The whole repository at one commit; a recipe is small, and a set with pixels is rejected by its manifest."""
    where: dict[str, Any] = {"repo_id": found.repository, "repo_type": "dataset"}
    reading = hub_failures("read the recipe", "dataset", found.repository, found.revision, no_file="it is not a recipe")
    with reading, quiet_client():
        first = Path(huggingface_hub.hf_hub_download(filename=MANIFEST_NAME, revision=found.revision, **where))
        _manifest(first.parent, text)
        return Path(huggingface_hub.snapshot_download(revision=first.parent.name, **where))
