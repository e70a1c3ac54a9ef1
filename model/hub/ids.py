"""`user/name@revision` on the Hugging Face Hub."""

from __future__ import annotations

import re
from dataclasses import dataclass

_PREFIX = re.compile(r"^hf://(datasets/|spaces/|models/)?")
_ID = re.compile(
    r"(?P<id>[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(?:@(?P<revision>(?!.*\.\.)[\w][\w./-]*))?(?::(?P<split>[\w.-]+))?"
)


@dataclass(frozen=True)
class HubId:
    """`owner/name[@revision][:split]` on the Hub.

    Attributes:
        repository: `owner/name`.
        revision: branch, tag or commit; None for the default branch.
        split: of a dataset; None where not named.
    """

    repository: str
    revision: str | None = None
    split: str | None = None

    def __str__(self) -> str:
        return f"{self.repository}@{self.revision}" if self.revision else self.repository

    @classmethod
    def parse(cls, text: str) -> HubId | None:
        """The id that `text` is, with or without `hf://…/` in front; None if it is not an id."""
        match = _ID.fullmatch(_PREFIX.sub("", text))
        return None if match is None else cls(match["id"], match["revision"], match["split"])


def is_hub_url(text: str) -> bool:
    """Whether `text` starts with `hf://`, which names the Hub even if a folder of that name exists."""
    return text.startswith("hf://")
