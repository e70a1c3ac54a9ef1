"""STACK-MIX without pixels: of each image its sources and hashes; whoever has the pictures rebuilds the set."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import huggingface_hub
import pyarrow as pa
import pyarrow.parquet as pq
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from stackwalls.hub_cards.cards.licence import Licence
from stackwalls.hub_cards.folder import FolderWriter
from stackwalls.hub_cards.layout import REJECTED_NAME, check_present
from stackwalls.hub_cards.manifest import MANIFEST_NAME, RECIPE_KIND, Manifest
from stackwalls.hub_cards.publishing.hub_failures import quiet_client
from stackwalls.hub_cards.record import stack_mix_recipe_features
from stackwalls.hub_cards.shards import read_groups
from stackwalls.model import IMAGE_SIZE, RESIZE, InputError, RunError, file_sha256
from stackwalls.model.images import decode

_HUB_PREFIX = "hf://datasets/"
_HUB_ID = re.compile(r"(?P<id>[A-Za-z0-9][\w.-]*/[\w.-]+)(@(?P<revision>[\w./-]+))?")
_PART_ROWS = 500


@dataclass(frozen=True)
class Recipe:
    """A recipe that is on this disk, every file checked against its manifest.

    Attributes:
        folder: where it lies.
        manifest: its own; `spec` is that of the set.
        sha256: of its manifest file: which recipe it is.
    """

    folder: Path
    manifest: Manifest
    sha256: str

    @property
    def dataset(self) -> Mapping[str, Any]:
        """Of the set: its manifest's "inputs", "versions" and "files", and the "manifest_sha256" of that file."""
        return dict(self.manifest.inputs["dataset"])

    def rows(self, start: int = 0) -> Iterator[dict[str, Any]]:
        """The rows in order, from number `start` on."""
        number = 0
        for batch in read_groups([self.folder / name for name in self.manifest.shards()]):
            for row in batch.to_pylist():
                if number >= start:
                    yield row
                number += 1

    def rejected(self) -> list[dict[str, str]]:
        """{"item", "reason"} of what was turned down when the set was made."""
        found: list[dict[str, str]] = pq.read_table(self.folder / REJECTED_NAME).to_pylist()
        return found


def recipe_folder(folder: str | Path, out: str | Path, licence: Licence | None = None) -> Path:
    """Make the recipe of a finished STACK-MIX folder, or go on with it; it holds no pixels.

    Args:
        folder: the set.
        out: a new or empty folder, or one that holds this recipe already.
        licence: as `state_licence` takes it; by default what the set states.

    Raises:
        InputError: if `folder` is no finished STACK-MIX folder, or `out` holds something else.
        RunError: if a file of the set is damaged, or the disk refuses.
    """
    folder, out = Path(folder), Path(out)
    manifest = Manifest.read(folder)
    if manifest.kind != "stack-mix":
        raise InputError(f"{folder} is a {manifest.kind} folder: a recipe is made of a stack-mix folder alone.")
    check_present(folder, manifest)
    inputs: dict[str, Any] = {
        "dataset": {
            "inputs": manifest.inputs,
            "versions": manifest.versions,
            "files": manifest.files,
            "manifest_sha256": file_sha256(folder / MANIFEST_NAME),
        },
        "transform": {"resize": RESIZE, "crop": IMAGE_SIZE},
    }
    stated = str(licence) if licence else manifest.inputs.get("licence")
    inputs |= {"licence": stated} if stated else {}
    features = stack_mix_recipe_features()
    with FolderWriter.open(out, kind=RECIPE_KIND, spec=manifest.spec, features=features) as writer:
        if writer.manifest is not None:
            if writer.manifest.inputs != inputs:
                raise InputError(f"{out} holds the recipe of another set: choose another folder, or delete this one.")
            return out
        _write_rows(folder, manifest, writer, inputs["dataset"]["manifest_sha256"])
        writer.finish(requested=manifest.counts["requested"], inputs=inputs)
    return out


def _write_rows(folder: Path, manifest: Manifest, writer: FolderWriter, sha256: str) -> None:
    """Hash what is missing, part by part."""
    if writer.state is not None and writer.state["dataset"] != sha256:
        raise InputError(f"{writer.path} was begun from another set than {folder}: choose another folder.")
    done = writer.rows_written
    turned_down = pq.read_table(folder / REJECTED_NAME).to_pylist() if not done else []
    rows: list[dict[str, Any]] = []
    for number, row in enumerate(_set_rows(folder, manifest)):
        if number < done:
            continue
        rows.append(_hashed(row))
        if len(rows) == _PART_ROWS:
            writer.write_part(rows, turned_down, {"dataset": sha256})
            rows, turned_down = [], []
    if rows or turned_down:
        writer.write_part(rows, turned_down, {"dataset": sha256})


def _set_rows(folder: Path, manifest: Manifest) -> Iterator[dict[str, Any]]:
    for name in manifest.shards():
        if file_sha256(folder / name) != manifest.files[name]["sha256"]:
            raise RunError(f"{folder / name} was changed after it was made: `stackgen verify {folder}` says more.")
        try:
            for batch in read_groups([folder / name]):
                yield from batch.to_pylist()
        except (pa.ArrowException, OSError, ValueError) as error:
            raise RunError(f"Cannot read {folder / name} ({error}).") from error


def _hashed(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row with the hashes of its image in place of the image."""
    data = row["image"]["bytes"]
    hashes = {
        "image_sha256": hashlib.sha256(data).hexdigest(),
        "pixels_sha256": hashlib.sha256(decode(data).tobytes()).hexdigest(),
    }
    return {name: value for name, value in row.items() if name != "image"} | hashes


def open_recipe(source: str | Path) -> Recipe:
    """A recipe in a folder, or on the Hugging Face Hub as `user/name[@revision]`; every file's hash is checked.

    Raises:
        InputError: if there is none, it is a set with its pixels, or a file was changed.
        RunError: if the Hub cannot be reached.
    """
    text, path = str(source), Path(source)
    match = _HUB_ID.fullmatch(text.removeprefix(_HUB_PREFIX))
    if text.startswith(_HUB_PREFIX) or (not path.exists() and match):
        if match is None:
            raise InputError(f"Cannot read the recipe {text!r}: expected {_HUB_PREFIX}user/name[@revision].")
        path = _download(match["id"], match["revision"], text)
    if not path.is_dir():
        raise InputError(f"There is no recipe {text!r}: expected a folder, or user/name[@revision] on the Hub.")
    manifest = _manifest(path, text)
    check_present(path, manifest)
    for name in (*manifest.shards(), REJECTED_NAME):
        if file_sha256(path / name) != manifest.files[name]["sha256"]:
            raise InputError(f"{name} of the recipe {text} was changed: its SHA-256 is not the manifest's.")
    return Recipe(path, manifest, file_sha256(path / MANIFEST_NAME))


def _manifest(folder: Path, text: str) -> Manifest:
    manifest = Manifest.read(folder)
    if manifest.kind != RECIPE_KIND:
        raise InputError(
            f"{text} is no recipe but a finished {manifest.kind} set: load it as it is (`datasets.load_dataset`)."
        )
    return manifest


def _download(repository: str, revision: str | None, text: str) -> Path:
    """The whole repository at one commit; a recipe is small, and a set with its pixels is refused by its manifest."""
    at = f"{repository}@{revision}" if revision else repository
    where: dict[str, Any] = {"repo_id": repository, "repo_type": "dataset"}
    try:
        with quiet_client():
            first = Path(huggingface_hub.hf_hub_download(filename=MANIFEST_NAME, revision=revision, **where))
            _manifest(first.parent, text)
            return Path(huggingface_hub.snapshot_download(revision=first.parent.name, **where))
    except GatedRepoError as error:
        raise InputError(
            f"The recipe {at} is gated: ask for access on its page on the Hub, then log in with `hf auth login`."
        ) from error
    except RevisionNotFoundError as error:
        raise InputError(f"The dataset {repository} has no revision {revision!r} on the Hub.") from error
    except RepositoryNotFoundError as error:
        raise InputError(
            f"There is no folder {repository} here, and the Hub shows no dataset of that name; if it is private, log "
            "in with an account that has access."
        ) from error
    except RemoteEntryNotFoundError as error:
        raise InputError(f"{at} is no recipe: it has no {MANIFEST_NAME}.") from error
    except (HfHubHTTPError, OSError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise RunError(f"Cannot reach the Hub for the recipe {at}: {reason}") from error
