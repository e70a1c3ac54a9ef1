"""`check_card`: the Hub's rules for cards, as far as they can be checked before anything is uploaded."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from huggingface_hub import DatasetCard, ModelCard, SpaceCard

from stackwalls.hub_cards.cards.license import HUB_LICENSES
from stackwalls.model import InputError, first_line
from stackwalls.model.files import read_bounded
from stackwalls.model.hub.failures import RepositoryKind

_CARDS = {"dataset": DatasetCard, "model": ModelCard, "space": SpaceCard}
_SIZES = re.compile(r"n<1K|1K<n<10K|10K<n<100K|100K<n<1M|1M<n<10M|n>1M|.*[BT]")
_BLANKS = re.compile(r"More Information Needed|\{\{\s*\w+(\.\w+)*\s*\}\}|\{%")
"""What a card must not contain: the Hub's placeholder, or marks of a template."""

_MOST_BYTES, _MOST_LEVELS = 1 << 20, 32
"""Of a card, and of its metadata; those of this package have 40 kB and 6 levels."""

_EMPTY_LINES, _YAML_BLOCK = re.compile(r"[\r\n]{1000}"), re.compile(r"\s*---[\r\n]+([\S\s]*?)[\r\n]+---")

_COLORS = ("red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray")
_SPACE = {"sdk": ("static",), "colorFrom": _COLORS, "colorTo": _COLORS}
"""Values of a Space's metadata (https://huggingface.co/docs/hub/spaces-config-reference); ours has no server."""

_ADVICE = "state it with --license: one of the Hub's identifiers (such as cc-by-4.0) or NAME=URL"


def check_card(card: str | Path, repo_type: RepositoryKind = "dataset") -> None:
    """Reject a card that the Hub would reject, that does not state a license, or that has placeholders.

    Args:
        card: the text, or the file (a `Path`).
        repo_type: whose card it is.

    Raises:
        InputError: stating the first problem.
    """
    where = "the card"
    if isinstance(card, Path):
        where, card = str(card), read_card(card)
    data = card_metadata(card, repo_type, where)
    if problem := next(_problems(card, data, repo_type), None):
        raise InputError(f"The Hub would not accept {where}: {problem}.")


def read_card(path: Path) -> str:
    """The text of a README.md.

    Raises:
        InputError: if it is not a regular file of UTF-8 text, or is too large.
    """
    try:
        return read_bounded(path, _MOST_BYTES).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"Cannot read {path}: {getattr(error, 'strerror', None) or error}.") from error


def card_metadata(card: str, repo_type: RepositoryKind = "dataset", where: str = "the card") -> dict[str, Any]:
    """The metadata of a card, as the Hub's client reads it: plain YAML, without aliases or tags.

    Raises:
        InputError: if it is anything else.
    """
    try:
        if _EMPTY_LINES.search(card):  # the client's search for the metadata would take hours
            raise ValueError("it has more than 1000 empty lines in a row")
        if match := _YAML_BLOCK.match(card):
            _check_plain(match[1])
        data: dict[str, Any] = _CARDS[repo_type](card).data.to_dict()  # type: ignore[no-untyped-call]
        repr(data)  # a number of 5,000 digits has no text
    except Exception as error:  # the client and its YAML reader raise several kinds, without a common base
        raise InputError(f"Cannot read the metadata of {where}: {first_line(error)}.") from error
    return data


def _check_plain(text: str) -> None:
    """ValueError for YAML that may grow when it is read, is nested without end, or has a key twice."""
    depth, loader = 0, getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    for token in yaml.scan(text, Loader=loader):
        kind = type(token).__name__
        depth += kind.endswith("StartToken") - kind.endswith("EndToken")
        if kind in ("AliasToken", "AnchorToken", "TagToken") or depth > _MOST_LEVELS:
            raise ValueError(f"expected plain YAML of at most {_MOST_LEVELS} levels, without aliases, anchors and tags")
    _check_keys(yaml.compose(text, Loader=loader))


def _check_keys(node: Any) -> None:
    """ValueError for a key that is there twice: readers differ in which of the two counts."""
    entries = node.value if isinstance(node, yaml.MappingNode) else ()
    name, count = next(iter(Counter(str(key.value) for key, _ in entries).most_common(1)), ("", 0))
    if count > 1:
        raise ValueError(f"the key {name!r:.60} is there twice")
    for child in [value for _, value in entries] + (node.value if isinstance(node, yaml.SequenceNode) else []):
        _check_keys(child)


def _problems(card: str, data: dict[str, Any], repo_type: str) -> Iterator[str]:
    license = data.get("license")
    if not license or license == "unknown":
        yield f"it does not state a license; {_ADVICE}"
    elif str(license) not in HUB_LICENSES:
        yield f"the Hub does not know the license {license!r:.80}; {_ADVICE}"
    elif license == "other" and not (data.get("license_name") and data.get("license_link")):
        yield f"its license is 'other', without a name and a link; {_ADVICE}"
    if repo_type == "dataset":
        yield from _dataset_problems(data)
    for key, allowed in _SPACE.items() if repo_type == "space" else ():
        if data.get(key) not in allowed:
            yield f"its {key} must be {' or '.join(allowed)}, not {data.get(key)!r:.80}"
    if blank := _BLANKS.search(card):
        yield f"it has a placeholder ({blank[0]!r})"


def _dataset_problems(data: dict[str, Any]) -> Iterator[str]:
    for key in ("task_categories", "size_categories", "source_datasets", "annotations_creators", "tags"):
        value = data.get(key)
        if not isinstance(value, list) or not value or not all(isinstance(item, str) for item in value):
            yield f"its {key} must be a list of strings, not {value!r}"
    for size in map(str, data.get("size_categories") or ()):
        if not _SIZES.fullmatch(size):
            yield f"the Hub does not know the size category {size!r}"
    for config in data.get("configs") or [{}]:
        files = config.get("data_files") if isinstance(config, dict) else None
        if not files or not all(isinstance(file, dict) and {"split", "path"} <= file.keys() for file in files):
            yield "one of its configurations does not name data files by split and path"
    info = data.get("dataset_info")
    if not isinstance(info, dict) or not info.get("features") or not info.get("splits"):
        yield "its dataset_info lacks features or splits"
