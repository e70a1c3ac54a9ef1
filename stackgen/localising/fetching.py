"""`fetch_detector`: the files of a detector on the Hub, all of one commit, in the client's cache."""

from __future__ import annotations

from pathlib import Path

from stackwalls.model import InputError, RunError

_FILES = ("*.json", "*.txt", "*.model", "*.safetensors")
"""Configurations, vocabularies and weights; never a pickle or a program."""


def fetch_detector(source: str) -> Path:
    """Download `owner/name[@revision]`, or find it in the cache; the folder's name is the commit.

    It is done in one step before anything is loaded: transformers asks the Hub for one file after the other, and
    without a connection retries each for 23 seconds.

    Raises:
        InputError: if there is no such repository or revision, or its terms are not accepted.
        RunError: if the Hub cannot be reached and the cache does not hold it.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    repository, _, revision = source.partition("@")
    try:
        return Path(snapshot_download(repository, revision=revision or None, allow_patterns=list(_FILES)))
    except GatedRepoError as error:
        raise InputError(
            f"The detector {repository} asks for its terms to be accepted: visit https://huggingface.co/{repository}, "
            "then log in with `hf auth login`."
        ) from error
    except RevisionNotFoundError as error:
        raise InputError(f"The detector {repository} has no revision {revision!r} on the Hub.") from error
    except RepositoryNotFoundError as error:
        raise InputError(
            f"There is no folder {source}, and the Hub shows no detector of that name; if it is private, log in with "
            "`hf auth login`."
        ) from error
    except HFValidationError as error:
        raise InputError(f"There is no folder {source}, and it is no owner/name[@revision] either.") from error
    except (HfHubHTTPError, OSError) as error:
        raise RunError(
            f"Cannot load the detector {source} ({first_line(error)}): connect to the Hugging Face Hub once, name a "
            "folder that holds one, or use the localizer 'foreground', which needs no weights."
        ) from error


def first_line(error: BaseException) -> str:
    """The first line of what went wrong, without its full stop."""
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
