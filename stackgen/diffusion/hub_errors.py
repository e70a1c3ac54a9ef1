"""What the Hub refuses, as one sentence that says what to do."""

from __future__ import annotations

from typing import NoReturn

from stackwalls.model import InputError, RunError, StackwallsError

HUB = "https://huggingface.co"


def refuse(repository: str, revision: str | None, error: Exception) -> NoReturn:
    """Raise what the user can act on, for an error of the Hub's client or of diffusers behind it.

    Raises:
        InputError: if there is no such model, revision or pipeline.
        RunError: if a licence has to be accepted, a token is missing, or the Hub cannot be reached.
    """
    from huggingface_hub import errors

    chain = list(_chain(error))
    if isinstance(error, StackwallsError):
        raise error
    if any(isinstance(found, errors.GatedRepoError) for found in chain):
        raise RunError(
            f"The model {repository} is given only to those who accept its licence: do so at {HUB}/{repository}, then "
            "log in with a token of that account (`hf auth login`, or HF_TOKEN)."
        ) from error
    if any(isinstance(found, errors.RevisionNotFoundError) for found in chain):
        raise InputError(
            f"The model {repository} has no revision {revision!r}: see {HUB}/{repository}/tree."
        ) from error
    if any(isinstance(found, errors.RepositoryNotFoundError) for found in chain):
        raise InputError(
            f"There is no model {repository} on the Hugging Face Hub for you: check the id at {HUB}/{repository}; a "
            "private one needs `hf auth login` or HF_TOKEN."
        ) from error
    if any(isinstance(found, errors.LocalEntryNotFoundError | errors.OfflineModeIsEnabled) for found in chain):
        raise RunError(_unreachable(repository, error)) from error
    if any(isinstance(found, errors.EntryNotFoundError) for found in chain):
        raise InputError(
            f"The model {repository} is no pipeline of diffusers (it has no model_index.json): see {HUB}/{repository}."
        ) from error
    status = next((status for found in chain if (status := _status(found)) is not None), None)
    if status in (401, 403):
        raise RunError(
            f"The Hugging Face Hub refuses {repository} ({status}): see {HUB}/{repository}, and log in with a "
            "token that may read it (`hf auth login`, or HF_TOKEN)."
        ) from error
    if isinstance(error, errors.HFValidationError):
        raise InputError(f"{repository!r} is no id on the Hugging Face Hub: expected owner/name.") from error
    raise RunError(_unreachable(repository, error)) from error


def _chain(error: BaseException | None) -> list[BaseException]:
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found


def _status(error: BaseException) -> int | None:
    return getattr(getattr(error, "response", None), "status_code", None)


def _unreachable(repository: str, error: Exception) -> str:
    said = " ".join(str(error).split())[:160] or type(error).__name__
    return (
        f"The model {repository} is not in the cache, and the Hugging Face Hub cannot be reached ({said}): connect, or "
        "download it elsewhere and give its folder with --model."
    )
