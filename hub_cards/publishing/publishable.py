"""The files of a folder that may be uploaded: hashed, checked against the manifest, searched for access tokens."""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Any

from stackwalls.hub_cards.cards.card_check import read_card
from stackwalls.hub_cards.cards.facts import DRAWN
from stackwalls.hub_cards.cards.license import IMAGENET_FILE
from stackwalls.hub_cards.layout import CARD_NAME, open_parquet, record_batches, unknown_files
from stackwalls.hub_cards.manifest import BOARD_KIND, FOLDER_KINDS, MANIFEST_NAME, Manifest
from stackwalls.hub_cards.writing.run_store import WORK_NAME
from stackwalls.model import InputError, RunError
from stackwalls.model.files import regular_file
from stackwalls.model.hub.failures import RepositoryKind

_TOKEN = rb"hf_[A-Za-z0-9]{20,}"
"""An access token of the Hugging Face Hub."""

_DRAWN_ID = re.compile(r"drawn/n\d{8}/\d{6}")
"""What STACK-MIX calls an image that this package drew."""

_CHUNK = 1 << 20
_OVERLAP = 512
"""Bytes of the last chunk that are searched again, because a token may lie across two chunks."""


@dataclass(frozen=True)
class Scan:
    """What reading a file once showed: its size in bytes, its SHA-256, and whether it holds an access token."""

    size: int
    sha256: str
    has_token: bool


@dataclass(frozen=True)
class LocalFile:
    """A file to upload: its POSIX path in the folder and the repository, its path on disk, and its scan."""

    name: str
    path: Path
    scan: Scan


@dataclass(frozen=True)
class PublishableFolder:
    """A finished folder, with every file as it was made.

    Attributes:
        manifest: of a dataset, of results or of a leaderboard; None for a model.
        files: to upload, by name.
        left_out: names of other files in the folder, which are not uploaded.
        card: the text of README.md.
        holds_foreign_pixels: whether it has pixels of a STACK-MIX source, under that source's terms.
        holds_imagenet: whether that source, or a file name in it, is ImageNet's.
    """

    path: Path
    repository_kind: RepositoryKind
    manifest: Manifest | None
    files: tuple[LocalFile, ...]
    left_out: tuple[str, ...]
    card: str
    holds_foreign_pixels: bool
    holds_imagenet: bool = False

    @property
    def kind(self) -> str:
        """The manifest's kind, or "model"."""
        return self.manifest.kind if self.manifest else "model"


def read_publishable(folder: str | Path, secrets: Iterable[str] = ()) -> PublishableFolder:
    """Read a finished folder and every byte of its files, searched for `secrets` and tokens of the Hub's form.

    Raises:
        InputError: if the folder is none of these, unfinished or changed, holds a token, or a file of it is a link
            out of the folder. The message names the file.
    """
    path = Path(folder)
    if not path.is_dir():
        raise InputError(f"There is no folder {path}: name a finished folder of a dataset, a model, results or scores.")
    if (path / WORK_NAME).is_dir():
        raise InputError(f"{path} is unfinished: repeat the command that makes it; it resumes where it stopped.")
    manifest = Manifest.read(path, FOLDER_KINDS) if (path / MANIFEST_NAME).is_file() else None
    names = sorted({MANIFEST_NAME, *manifest.files}) if manifest else _model_names(path)
    if CARD_NAME not in names:
        raise InputError(f"{path} has no {CARD_NAME}, and nothing is published without a card: make the folder again.")
    entries, secrets = manifest.files if manifest else {}, tuple(secrets)
    card, left_out = read_card(path / CARD_NAME), tuple(unknown_files(path, names))
    files = tuple(_read(path, name, secrets, entries.get(name)) for name in names)
    ids = _source_ids(path, manifest) if manifest and manifest.kind == "stack-mix" else []
    source = str(manifest.spec["source"]) if manifest and ids else DRAWN
    # every image of a drawn set has an id that says so; a folder of photos may be called "drawn" too
    foreign = source != DRAWN or not all(map(_DRAWN_ID.fullmatch, ids))
    imagenet = foreign and ("imagenet" in source.lower() or any(map(IMAGENET_FILE.fullmatch, ids)))
    kind: RepositoryKind = "model" if manifest is None else "space" if manifest.kind == BOARD_KIND else "dataset"
    return PublishableFolder(path, kind, manifest, files, left_out, card, foreign, imagenet)


def scan(path: Path, secrets: Iterable[str] = ()) -> Scan:
    """Hash a file and search it for the Hub's tokens and the given ones, in Parquet files also the decompressed text.

    Raises:
        OSError: if it cannot be read.
    """
    token = re.compile(b"|".join([_TOKEN, *(re.escape(secret.encode()) for secret in secrets if secret)]))
    sha256, found, tail, size = hashlib.sha256(), False, b"", 0
    with regular_file(path).open("rb") as file:
        while chunk := file.read(_CHUNK):
            sha256.update(chunk)
            found = found or token.search(tail + chunk) is not None
            tail, size = chunk[-_OVERLAP:], size + len(chunk)
    if path.suffix == ".parquet" and not found:
        found = any(map(token.search, _parquet_texts(path)))
    return Scan(size, sha256.hexdigest(), found)


def _parquet_texts(path: Path) -> Iterator[bytes]:
    """The text columns of a Parquet file, one row group at a time: compression hides them from a search of the file."""
    try:
        with open_parquet(path) as file:
            leaves = (file.metadata.schema.column(number) for number in range(file.metadata.num_columns))
            texts = [leaf.path for leaf in leaves if leaf.logical_type.type == "STRING"]
            for group in range(file.num_row_groups if texts else 0):
                yield repr(file.read_row_group(group, columns=texts, use_threads=False).to_pydict()).encode()
    except RunError as error:
        raise OSError(f"{path.name} cannot be read as Parquet: {error.__cause__}") from error


def _model_names(path: Path) -> list[str]:
    """The files of a whole model folder, out of a fixed list of names."""
    from stackwalls.hub_cards.model_folder import MODEL_FILES, check_model_folder  # needs torch

    if not (path / "config.json").is_file():
        raise InputError(
            f"{path} is neither a dataset folder nor a leaderboard (no {MANIFEST_NAME}), nor a model folder (no "
            "config.json), nor results (no run.json): name a finished folder that this package made."
        )
    check_model_folder(path)
    return sorted(name for name in MODEL_FILES if (path / name).is_file())


def _read(folder: Path, name: str, secrets: tuple[str, ...], entry: Mapping[str, Any] | None) -> LocalFile:
    path = folder / name
    if not path.is_file():
        raise InputError(f"{name} is missing in {folder}: `stackgen verify {quote(str(folder))}` lists all problems.")
    if not path.resolve().is_relative_to(folder.resolve()):
        raise InputError(
            f"{name} in {folder} is a link that leads out of the folder, and such files are not published: copy the "
            "file itself there."
        )
    try:
        changed = entry is not None and path.stat().st_size != entry["bytes"]  # of any size: it is not read
        read = Scan(0, "", False) if changed else scan(path, secrets)
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error}") from error
    if read.has_token:
        raise InputError(f"{path} holds an access token, so nothing is published: remove it, and revoke the token.")
    if entry and (read.sha256, read.size) != (entry["sha256"], entry["bytes"]):
        raise InputError(
            f"{name} was changed after {folder} was made: its SHA-256 is not the manifest's. Make the folder again "
            f"(`stackgen verify {quote(str(folder))}` lists all problems)."
        )
    return LocalFile(name, path, read)


def _source_ids(folder: Path, manifest: Manifest) -> list[str]:
    """What both halves of each STACK-MIX image are called in their source."""
    batches = record_batches(folder, manifest, ["top_source", "bottom_source"])
    return [str(name or "") for batch in batches for column in batch.columns for name in column.to_pylist()]
