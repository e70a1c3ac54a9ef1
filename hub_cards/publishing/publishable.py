"""The files of a folder that may be uploaded, each hashed; whatever else lies there is left out and named."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from stackwalls.hub_cards.cards.facts import DRAWN
from stackwalls.hub_cards.layout import CARD_NAME, NOT_OURS
from stackwalls.hub_cards.manifest import MANIFEST_NAME, Manifest
from stackwalls.hub_cards.publishing.token_search import Scan, scan
from stackwalls.hub_cards.run_store import WORK_NAME
from stackwalls.hub_cards.shards import read_groups
from stackwalls.model import InputError

_DRAWN_ID = re.compile(r"drawn/n\d{8}/\d{6}")
"""What STACK-MIX calls a picture that this package drew."""

RepositoryKind = Literal["dataset", "model"]


@dataclass(frozen=True)
class LocalFile:
    """A file that goes up.

    Attributes:
        name: path in the folder and in the repository (POSIX).
        path: where it lies.
        scan: its size and hashes.
    """

    name: str
    path: Path
    scan: Scan


@dataclass(frozen=True)
class PublishableFolder:
    """A finished folder, every file of it as it was made.

    Attributes:
        path: the folder.
        repository_kind: "dataset" or "model".
        manifest: of a dataset folder.
        files: what goes up, by name.
        left_out: what lies there too and does not go up.
        card: the text of README.md.
        holds_foreign_pixels: whether pixels of a STACK-MIX source are in it, which carry that source's terms.
    """

    path: Path
    repository_kind: RepositoryKind
    manifest: Manifest | None
    files: tuple[LocalFile, ...]
    left_out: tuple[str, ...]
    card: str
    holds_foreign_pixels: bool

    @property
    def kind(self) -> str:
        """The manifest's kind, or "model"."""
        return self.manifest.kind if self.manifest else "model"


def read_publishable(folder: str | Path, secrets: Iterable[str] = ()) -> PublishableFolder:
    """Read a dataset or model folder and every byte of its files.

    Args:
        folder: what `stackgen mix`, `generate` or `train` made, or `save_pretrained`.
        secrets: tokens to look for beside those of the Hub's form.

    Raises:
        InputError: if the folder is none of these, unfinished or changed, holds a token, or a file of it is a link
            that leads out of it. The message names the file.
    """
    path = Path(folder)
    if not path.is_dir():
        raise InputError(f"There is no folder {path}: name a finished dataset or model folder.")
    if (path / WORK_NAME).is_dir():
        raise InputError(f"{path} is unfinished: run the command that makes it again; it goes on where it was.")
    manifest = Manifest.read(path) if (path / MANIFEST_NAME).is_file() else None
    names = _dataset_names(manifest) if manifest else _model_names(path)
    if CARD_NAME not in names:
        raise InputError(f"{path} has no {CARD_NAME}, and nothing is published without a card: make the folder again.")
    files = tuple(_read(path, name, tuple(secrets)) for name in names)
    if manifest is not None:
        _check_hashes(path, files, manifest)
    card = (path / CARD_NAME).read_text(encoding="utf-8")
    left_out = tuple(_others(path, set(names)))
    foreign = manifest is not None and _holds_foreign_pixels(path, manifest)
    return PublishableFolder(path, "dataset" if manifest else "model", manifest, files, left_out, card, foreign)


def _dataset_names(manifest: Manifest) -> list[str]:
    return sorted({MANIFEST_NAME, *manifest.files})


def _model_names(path: Path) -> list[str]:
    """The files of a model folder: a fixed list of names.

    Raises:
        InputError: if it is no model folder, or no whole one.
    """
    from stackwalls.hub_cards.model_folder import MODEL_FILES, check_model_folder  # needs torch

    if not (path / "config.json").is_file():
        raise InputError(
            f"{path} is neither a dataset folder (no {MANIFEST_NAME}) nor a model folder (no config.json): name a "
            "finished folder that this package made."
        )
    check_model_folder(path)
    return sorted(name for name in MODEL_FILES if (path / name).is_file())


def _read(folder: Path, name: str, secrets: tuple[str, ...]) -> LocalFile:
    path = folder / name
    if not path.is_file():
        raise InputError(f"{name} is missing in {folder}: `stackgen verify {folder}` lists all that is wrong.")
    if not path.resolve().is_relative_to(folder.resolve()):
        raise InputError(
            f"{name} in {folder} is a link that leads out of the folder, and such files are not published: put the "
            "file itself there."
        )
    try:
        read = scan(path, secrets)
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error}") from error
    if read.has_token:
        raise InputError(f"{path} holds an access token, so nothing is published: take it out, and revoke the token.")
    return LocalFile(name, path, read)


def _check_hashes(folder: Path, files: Iterable[LocalFile], manifest: Manifest) -> None:
    for file in files:
        entry = manifest.files.get(file.name)
        if entry is not None and (file.scan.sha256, file.scan.size) != (entry["sha256"], entry["bytes"]):
            raise InputError(
                f"{file.name} was changed after {folder} was made: its SHA-256 is not the manifest's. Make the folder "
                f"again (`stackgen verify {folder}` lists all that is wrong)."
            )


def _holds_foreign_pixels(folder: Path, manifest: Manifest) -> bool:
    """Every picture of a set that was drawn has an id that says so; a folder of photos may be called "drawn" too."""
    if manifest.kind != "stack-mix":
        return False
    shards = [folder / name for name in manifest.shards()]
    ids = (
        name
        for batch in read_groups(shards, columns=["top_source", "bottom_source"])
        for column in batch.columns
        for name in column.to_pylist()
    )
    return manifest.spec["source"] != DRAWN or not all(_DRAWN_ID.fullmatch(name or "") for name in ids)


def _others(folder: Path, known: set[str]) -> Iterator[str]:
    """Files and links that are not among `known`; what git and file managers leave is passed over in silence."""
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        if NOT_OURS.isdisjoint(relative.parts) and (path.is_symlink() or not path.is_dir()):
            name = relative.as_posix()
            if name not in known:
                yield name
