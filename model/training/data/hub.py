"""A dataset of the Hugging Face Hub, downloaded or streamed by `datasets`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NoReturn

from stackwalls.model.errors import InputError, RunError
from stackwalls.model.training.data.label_reading import read_labels
from stackwalls.model.training.data.pictures import PictureSet, PictureStream
from stackwalls.model.training.data.tables import bytes_of, find_columns, open_dataset

VAL_SPLITS = ("validation", "val", "valid", "test")
"""Names of a validation split, in the order in which they are tried."""

BUFFER = 2000
"""Pictures held at a time, undecoded, from which a stream draws the next one."""


class HubStream:
    """One split of a dataset, read over the network as it is needed; nothing stays on the disk.

    Args:
        dataset: a `datasets.IterableDataset`.
        name: what the sidecar calls it.
        size: its number of pictures, where the Hub says it.
    """

    def __init__(self, dataset: Any, name: str, size: int | None) -> None:
        import datasets

        self.name, self.size = name, size
        self._image, self._label = find_columns(dataset.column_names or list(dataset.features), name)
        feature = (dataset.features or {}).get(self._label)
        self._names = feature.names if isinstance(feature, datasets.ClassLabel) else None
        self._dataset = dataset.cast_column(self._image, datasets.Image(decode=False))

    def pictures(self, seed: int) -> Iterator[tuple[bytes, int]]:
        """Pictures without end; each pass shuffles the shards, then within a buffer."""
        number = 0
        while True:
            rows = self._dataset.shuffle(seed=seed, buffer_size=BUFFER)
            rows.set_epoch(number)
            for row in rows:
                yield bytes_of(row[self._image]), int(read_labels([row[self._label]], self._names, self.name)[0])
            number += 1


def open_hub(text: str, streaming: bool) -> tuple[PictureSet | PictureStream, PictureSet | None]:
    """The training and the validation split of `owner/name` or `owner/name@revision`.

    With `streaming`, the training split is a stream; the validation split is always downloaded.

    Returns:
        Training and validation pictures; None where there is no validation split.

    Raises:
        InputError: if there is no such dataset, or no training split, or a column is missing.
        RunError: if the Hub refuses access or cannot be reached.
    """
    import datasets

    repository, _, revision = text.partition("@")
    try:
        splits = datasets.get_dataset_split_names(repository, revision=revision or None)
        if "train" not in splits:
            raise InputError(f"The dataset {text} has no split 'train': it has {', '.join(splits)}.")
        train = datasets.load_dataset(repository, revision=revision or None, split="train", streaming=streaming)
        name = next((name for name in VAL_SPLITS if name in splits), None)
        val = datasets.load_dataset(repository, revision=revision or None, split=name) if name else None
    except InputError:
        raise
    except Exception as error:  # the library and the Hub raise errors of some ten kinds here, over several layers
        _refuse(text, error)
    opened: PictureSet | PictureStream
    if streaming:
        known = getattr(train.info, "splits", None) or {}
        opened = HubStream(train, text, known["train"].num_examples if "train" in known else None)
    else:
        opened = open_dataset(train, text)
    return opened, None if val is None else open_dataset(val, text)


def _refuse(text: str, error: Exception) -> NoReturn:
    reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
    if "gated" in reason.lower():
        raise RunError(
            f"The dataset {text} is gated: ask for access at https://huggingface.co/datasets/{text.partition('@')[0]}, "
            "then log in (hf auth login, or set HF_TOKEN) and run again."
        ) from error
    if isinstance(error, ConnectionError):
        raise RunError(f"There is no folder {text!r} here, and the Hub could not be reached ({reason}).") from error
    raise InputError(
        f"There is no folder {text!r} here, and no dataset of that name that can be opened ({reason})."
    ) from error
