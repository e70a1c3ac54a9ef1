"""`check_card`: the Hub's rules for cards, as far as they can be checked before anything is uploaded."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal

from huggingface_hub import DatasetCard, ModelCard

from stackwalls.hub_cards.cards.license import HUB_LICENSES
from stackwalls.model import InputError

_SIZES = re.compile(r"n<1K|1K<n<10K|10K<n<100K|100K<n<1M|1M<n<10M|n>1M|.*[BT]")
_BLANKS = re.compile(r"More Information Needed|\{\{\s*\w+(\.\w+)*\s*\}\}|\{%")
"""What a card must not contain: the Hub's placeholder, or marks of a template."""

_ADVICE = "state it with --license: one of the Hub's identifiers (such as cc-by-4.0) or NAME=URL"


def check_card(card: str | Path, repo_type: Literal["dataset", "model"] = "dataset") -> None:
    """Reject a card that the Hub would reject, that does not state a license, or that has placeholders.

    Args:
        card: the text, or the file (a `Path`).
        repo_type: whose card it is.

    Raises:
        InputError: stating the first problem.
    """
    where = "the card"
    if isinstance(card, Path):
        where = str(card)
        try:
            card = card.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"Cannot read {where}: {error}.") from error
    data = _metadata(card, where, repo_type)
    problems = [*_license_problems(data), *(_dataset_problems(data) if repo_type == "dataset" else ())]
    if blank := _BLANKS.search(card):
        problems.append(f"it has a placeholder ({blank[0]!r})")
    if problems:
        raise InputError(f"The Hub would not accept {where}: {problems[0]}.")


def _metadata(text: str, where: str, repo_type: str) -> dict[str, Any]:
    kind = DatasetCard if repo_type == "dataset" else ModelCard
    try:
        data: dict[str, Any] = kind(text).data.to_dict()  # type: ignore[no-untyped-call]
    except Exception as error:  # the client and its YAML reader raise several kinds, without a common base
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"Cannot read the metadata of {where}: {reason}.") from error
    return data


def _license_problems(data: dict[str, Any]) -> list[str]:
    license = data.get("license")
    if not license or license == "unknown":
        return [f"it does not state a license; {_ADVICE}"]
    if license not in HUB_LICENSES:
        return [f"the Hub does not know the license {license!r}; {_ADVICE}"]
    if license == "other" and not (data.get("license_name") and data.get("license_link")):
        return [f"its license is 'other', without a name and a link; {_ADVICE}"]
    return []


def _dataset_problems(data: dict[str, Any]) -> list[str]:
    problems = []
    for key in ("task_categories", "size_categories", "source_datasets", "annotations_creators", "tags"):
        value = data.get(key)
        if not isinstance(value, list) or not value or not all(isinstance(item, str) for item in value):
            problems.append(f"its {key} must be a list of strings, not {value!r}")
    sizes = map(str, data.get("size_categories") or ())
    problems += [f"the Hub does not know the size category {size!r}" for size in sizes if not _SIZES.fullmatch(size)]
    for config in data.get("configs") or [{}]:
        files = config.get("data_files") if isinstance(config, dict) else None
        if not files or not all(isinstance(file, dict) and {"split", "path"} <= file.keys() for file in files):
            problems.append("one of its configurations does not name data files by split and path")
    info = data.get("dataset_info")
    if not isinstance(info, dict) or not info.get("features") or not info.get("splits"):
        problems.append("its dataset_info lacks features or splits")
    return problems
