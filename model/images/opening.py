"""From what a user types to labeled images: `open_images`."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from stackwalls.model.errors import InputError, StackwallsError
from stackwalls.model.files import as_text
from stackwalls.model.hub.ids import HubId, is_hub_url
from stackwalls.model.images.image_folder import SPLITS, ImageFolder, is_image, visible
from stackwalls.model.images.in_memory import InMemoryImages, MapStyle
from stackwalls.model.images.label_space import LabelChoice, check_label_choice
from stackwalls.model.images.labeled import LabeledImages
from stackwalls.model.images.labels import find_class

if TYPE_CHECKING:
    import datasets

DRAWN = "drawn"

FORMS = (
    "expected a folder of images, Parquet files or tar shards, a dataset on the Hub (owner/name, with @revision and "
    ":split if needed) or 'drawn'"
)

_REJECTED = "rejected.parquet"
"""The list in a finished set of what is not in it; the images are one folder down."""

_TABLE_SUFFIXES = (".parquet", ".tar")


def open_images(
    what: str | Path | datasets.Dataset | MapStyle,
    *,
    labels: Path | None = None,
    split: str = "validation",
    unlabeled: bool = False,
    label_space: LabelChoice = None,
    progress: bool = False,
) -> LabeledImages:
    """Open labeled images; of local ones, only names are read before the labels are asked for.

    Args:
        what: one of
            - a folder of class folders, of ImageNet-1k named by synset (`n01443537`), name (`goldfish`) or index (`1`);
            - a flat folder, with `labels`;
            - a Parquet file or a tar shard in WebDataset's layout, a folder of them (or with them one folder down, as
              in `data/`), or a pattern (`data/val-*.parquet`);
            - `owner/name[@revision][:split]` on the Hugging Face Hub; a local path of that name goes first, unless
              `hf://datasets/` is in front;
            - `drawn`, a world of procedural animals;
            - a `datasets.Dataset`;
            - a list of PIL images, or a map-style dataset of (PIL image, label), such as torchvision's.
        labels: the list of labels of a flat folder (see `read_labels_file`).
        split: of a dataset on the Hub, if `what` names none; its Parquet files are read in place (see `open_hub`).
        unlabeled: whether to keep images without a label (-1) instead of leaving them out with a warning.
        label_space: whose classes the labels are: "imagenet", "own" for the names that the source has, or a
            `LabelSpace`; by default ImageNet-1k's if the names are, and its own otherwise (see `LabelReader`).
        progress: show progress bars on stderr where reading takes long.

    Raises:
        InputError: if there is no such source, or its form is not known.
        RunError: if the Hub refuses access, or cannot be reached.
    """
    check_label_choice(label_space)
    if not isinstance(what, str | Path):
        import datasets

        from stackwalls.model.images.tables import TableImages

        if isinstance(what, MapStyle) and not isinstance(what, datasets.Dataset | Mapping | bytes) and len(what):
            return InMemoryImages(what, unlabeled=unlabeled, label_space=label_space)
        if not isinstance(what, datasets.Dataset):
            raise InputError(
                "Expected a folder, a Hub id (owner/name), a datasets.Dataset (one split of a DatasetDict; "
                "datasets.Dataset.from_list makes one of dictionaries with an `image` and a `label`), a list of PIL "
                f"images, or a map-style dataset of (PIL image, label), but got {type(what).__name__}."
            )
        name = what.info.dataset_name or "dataset"
        return TableImages(what, name, unlabeled=unlabeled, label_space=label_space)
    text, path = str(what), Path(what)
    if labels is not None:
        if not path.is_dir():
            raise InputError(f"--labels is for a flat folder of images, but {text!r} is not a folder here.")
        return ImageFolder(path, labels, label_space=label_space)
    hub = find_hub_id(what)
    if hub is not None:
        from stackwalls.model.images.hub import open_hub

        with also_not_here(text):
            return open_hub(hub, split, unlabeled=unlabeled, label_space=label_space, progress=progress)
    if text == DRAWN:
        from stackwalls.model.images.drawn_images import DrawnImages

        return DrawnImages(label_space=label_space)
    files = files_in(path) if path.is_dir() else _matching(path)
    if not files:
        return ImageFolder(path, unlabeled=unlabeled, label_space=label_space, progress=progress)
    folder, first = path if path.is_dir() else path.parent, next(iter(files.values()))
    if len({split_of(name) for name in files}) > 1:
        raise InputError(
            f"{folder} has files of several splits ({', '.join(list(files)[:5])}): name one file, or the files of one "
            f"split by a quoted pattern such as '{folder}/val*{first.suffix}'."
        )
    name = as_text(first.name if len(files) == 1 else folder.resolve().name)
    return open_files(files, name, unlabeled=unlabeled, label_space=label_space, progress=progress)


def find_hub_id(what: str | Path) -> HubId | None:
    """The dataset on the Hub that `what` names; None if it names something local, which goes first.

    Raises:
        InputError: if it is neither.
    """
    text, path = str(what), Path(what)
    hub = None if isinstance(what, Path) else HubId.parse(text)
    if is_hub_url(text):
        if hub is None or not text.startswith("hf://datasets/"):
            raise InputError(
                f"Cannot read the dataset id {text!r}: expected hf://datasets/owner/name[@revision][:split]."
            )
        return hub
    if path.is_dir():
        import huggingface_hub

        cache = Path(huggingface_hub.constants.HF_HUB_CACHE)
        if hub is not None and (cache / f"datasets--{hub.repository.replace('/', '--')}").is_dir():  # read before
            warnings.warn(
                f"{text} is the local folder of that name, not the dataset on the Hub: write hf://datasets/{text} for "
                "that one.",
                stacklevel=3,
            )
        return None
    if text == DRAWN or path.name.lower().endswith(_TABLE_SUFFIXES):
        return None
    if path.exists():
        raise InputError(f"{text} is a file of an unknown form: {FORMS}.")
    if hub is None or path.parent.is_dir():
        raise InputError(f"There is no folder or file {text!r} here, and it is not a Hub id either: {FORMS}.")
    return hub


def open_files(
    files: Mapping[str, Path],
    name: str,
    *,
    unlabeled: bool = False,
    label_space: LabelChoice = None,
    progress: bool = False,
) -> LabeledImages:
    """Parquet files or tar shards, by the name that ids start with, as one source called `name`."""
    if next(iter(files)).lower().endswith(".tar"):
        from stackwalls.model.images.tar_shards import TarImages

        return TarImages(name, files, unlabeled=unlabeled, label_space=label_space)
    from stackwalls.model.images.parquet import ParquetImages

    return ParquetImages(name, files, unlabeled=unlabeled, label_space=label_space, progress=progress)


def files_in(folder: Path) -> dict[str, Path]:
    """The Parquet files in a folder, or else its tar shards, or else those one folder down, by relative path.

    A folder that has class folders is not searched further down, nor is one that has images.
    """
    folders = visible(folder, folders=True)
    if any(find_class(name) for name in folders):
        folders = []
    for inside in ([""], [f"{name}/" for name in folders]):
        names: list[str] = []
        for inner in inside:
            with suppress(InputError):  # a folder that may not be listed has nothing to offer
                there = visible(folder / inner, folders=False)
                names += [] if inner and any(map(is_image, there)) else [inner + name for name in there]
        for suffix in _TABLE_SUFFIXES:
            found = {as_text(name): folder / name for name in sorted(names) if name.lower().endswith(suffix)}
            found.pop(_REJECTED, None)
            if found:
                return found
    return {}


def split_of(path: str) -> str | None:
    """The split that a relative path names: the first word of its file or of a folder on the way to it."""
    words = (re.split(r"[^a-z]", part.lower())[0] for part in reversed(path.split("/")))
    return next((SPLITS[word] for word in words if word in SPLITS), None)


@contextmanager
def also_not_here(text: str) -> Iterator[None]:
    """Add to an error of the Hub that nothing local has that name either, unless `text` names the Hub."""
    try:
        yield
    except StackwallsError as error:
        if is_hub_url(text):
            raise
        raise type(error)(f"{error} There is no folder {text!r} here either.") from error


def _matching(path: Path) -> dict[str, Path]:
    """The files that a path or a pattern names."""
    files = [path] if path.exists() else sorted(path.parent.glob(path.name))  # a name with brackets is no pattern
    found = {as_text(p.name): p for p in files if p.is_file() and not p.name.startswith(".")}
    if not found:
        raise InputError(f"There is no file {path}: {FORMS}.")
    return found
