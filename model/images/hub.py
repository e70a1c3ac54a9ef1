"""Datasets on the Hugging Face Hub: Parquet read in place, downloaded, or streamed."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from stackwalls.model.errors import InputError, StackwallsError, quotable
from stackwalls.model.hub.failures import first_line, hub_failures
from stackwalls.model.hub.ids import HubId
from stackwalls.model.images.label_space import LabelChoice
from stackwalls.model.images.parquet import ParquetImages
from stackwalls.model.images.tables import TableImages, TableStream


@contextmanager
def opening(hub: HubId) -> Iterator[None]:
    """Translate whatever is raised while a dataset is opened into one sentence.

    Raises:
        InputError: if there is no such dataset, revision or split, or `datasets` cannot read it.
        RunError: if access is refused, or the Hub cannot be reached.
    """
    try:
        with hub_failures("open the dataset", "dataset", hub.repository, hub.revision):
            yield
    except StackwallsError:
        raise
    except Exception as error:  # `datasets` raises errors of many kinds for what it cannot read
        raise InputError(f"Cannot open the dataset {hub}: {first_line(error.__cause__ or error)}.") from error


def open_hub(
    hub: HubId, split: str, *, unlabeled: bool = False, label_space: LabelChoice = None, progress: bool = False
) -> ParquetImages:
    """A split to read some images of: the label column alone, then the row groups that are asked for.

    Its Parquet files are read by byte ranges, pinned to the commit that the revision names now, with the user's token
    (`hf auth login` or `HF_TOKEN`). Nothing stays in a cache. A split that `hub` names goes before `split`.

    Raises:
        InputError: if there is no such dataset, revision or split, or its files are not Parquet.
        RunError: if the Hub refuses access, or cannot be reached.
    """
    import datasets
    from huggingface_hub import HfFileSystem

    split = hub.split or split
    builder = _builder(hub)
    splits = {str(name): list(files) for name, files in (builder.config.data_files or {}).items()}
    if split not in splits:
        expected = " or ".join(f"{hub}:{name}" for name in splits)
        raise InputError(f"The dataset {hub} has no split {split!r}: expected {expected}.")
    pattern = re.compile(r"hf://(datasets/[^@]+@([^/]+)/(.+\.parquet))")
    found = [path for url in splits[split] if (path := pattern.fullmatch(url))]
    if len(found) < len(splits[split]):
        raise InputError(
            f"The split {split!r} of {hub} is not stored as Parquet files. The Hub keeps a Parquet version of most "
            f"datasets: try {hub.repository}@refs/convert/parquet:{split}."
        )
    features = (builder.info.features or {}).items()  # on the dataset's card
    system = HfFileSystem()
    return ParquetImages(
        f"{hub.repository}@{found[0][2]}:{split}",
        {path[3]: partial(system.open, path[1], "rb", cache_type="none") for path in found},
        label_names={column: list(kind.names) for column, kind in features if isinstance(kind, datasets.ClassLabel)},
        unlabeled=unlabeled,
        label_space=label_space,
        progress=progress,
    )


def download_hub(hub: HubId, split: str, *, unlabeled: bool = False, label_space: LabelChoice = None) -> TableImages:
    """A split to read all images of, again and again: `datasets` downloads it. See `open_hub`."""
    import datasets
    from huggingface_hub import constants

    builder = _builder(hub)
    with opening(hub):
        builder.download_and_prepare()
        table = builder.as_dataset(split=hub.split or split)
    own = Path(constants.HF_HUB_CACHE, f"datasets--{hub.repository.replace('/', '--')}")
    unpacked = Path(datasets.config.DOWNLOADED_DATASETS_PATH)
    return TableImages(table, str(hub), unlabeled=unlabeled, label_space=label_space, inside=[own, unpacked])


def stream_hub(
    hub: HubId, split: str, size: int | None = None, *, unlabeled: bool = False, label_space: LabelChoice = None
) -> TableStream:
    """A split to read in order: `datasets` streams it. `size` counts where the card does not. See `open_hub`."""
    split, builder = hub.split or split, _builder(hub)
    with opening(hub):
        table = builder.as_streaming_dataset(split=split)
    known = getattr(table.info, "splits", None) or {}
    size = known[split].num_examples if split in known else size
    with opening(hub):  # it may read a row
        return TableStream(table, str(hub), size, f"{hub}:{split}", unlabeled=unlabeled, label_space=label_space)


def split_names(hub: HubId) -> list[str]:
    """The names of a dataset's splits; raises as `opening`."""
    import datasets

    with opening(hub):
        return list(map(str, datasets.get_dataset_split_names(_url(hub), revision=hub.revision)))


def _url(hub: HubId) -> str:
    return f"hf://datasets/{hub.repository}"


def _builder(hub: HubId) -> Any:
    """What `datasets` makes of a repository, if all its files are in the repository: its card may name others."""
    import datasets

    with opening(hub):
        builder = datasets.load_dataset_builder(_url(hub), revision=hub.revision)
    files = [str(file) for split in (builder.config.data_files or {}).values() for file in split]
    if foreign := [file for file in files if not file.startswith((f"{_url(hub)}/", f"{_url(hub)}@"))]:
        named = quotable(foreign[0], 80)
        raise InputError(f"The dataset {hub} names files outside of its repository ({named}), which are not read.")
    return builder
