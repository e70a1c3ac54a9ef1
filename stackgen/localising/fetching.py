"""`fetch_detector`: the files of a detector on the Hub, all of one commit, in the client's cache."""

from __future__ import annotations

from pathlib import Path

from stackwalls.model import HubId, InputError, hub_failures

_FILES = ("*.json", "*.txt", "*.model", "*.safetensors")
"""Configurations, vocabularies and weights; never a pickle or a program."""


def fetch_detector(source: str) -> Path:
    """Download `owner/name[@revision]`, or find it in the cache; the folder's name is the commit.

    All files are fetched before anything is loaded: transformers asks the Hub for one file after the other, and
    without a connection it retries each for 23 seconds.

    Raises:
        InputError: if there is no such repository or revision.
        RunError: if its terms are not accepted, or the Hub cannot be reached and the cache does not hold it.
    """
    from huggingface_hub import snapshot_download

    found = HubId.parse(source)
    if found is None or found.split is not None:
        raise InputError(f"There is no folder {source}, and it is not owner/name[@revision] either.")
    otherwise = "name a folder that holds one, or use the localizer 'foreground', which needs no weights"
    with hub_failures("load the detector", "model", found.repository, found.revision, otherwise=otherwise):
        return Path(snapshot_download(found.repository, revision=found.revision, allow_patterns=list(_FILES)))
