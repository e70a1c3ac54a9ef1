"""What the Hub checks in the metadata of a card, in small."""

from __future__ import annotations

import re
from typing import Any

import yaml

LICENCES = ("apache-2.0", "mit", "cc0-1.0", "cc-by-4.0", "cc-by-nc-4.0", "openrail", "openrail++", "other", "unknown")
"""Some of the identifiers that the Hub knows."""

SIZES = ("n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "n>1M")


def metadata(text: str) -> Any:
    """The YAML between the first two fences, or None."""
    found = re.match(r"^---\s*\n(.*?)\n---\s*(\n|$)", text, re.DOTALL)
    return yaml.load(found[1], Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)) if found else None


def problems(text: str) -> list[str]:
    """What is wrong with a card's metadata; empty where nothing is."""
    try:
        fields = metadata(text)
    except yaml.YAMLError as error:
        return [f"YAML parse error: {str(error).splitlines()[0]}"]
    if fields is None:
        return []
    if not isinstance(fields, dict):
        return ["YAML metadata must be an object"]
    licences = fields.get("license", [])
    checks = {
        f'"license" must be one of [{", ".join(LICENCES)}]': all(
            licence in LICENCES for licence in (licences if isinstance(licences, list) else [licences])
        ),
        f'"size_categories" must be one of [{", ".join(SIZES)}]': set(fields.get("size_categories", [])) <= set(SIZES),
        '"configs[0].config_name" is required': all("config_name" in config for config in fields.get("configs", [])),
        '"tags" must be an array': isinstance(fields.get("tags", []), list),
        '"task_categories" must be an array': isinstance(fields.get("task_categories", []), list),
    }
    return [problem for problem, fine in checks.items() if not fine]
