"""Whose token the client has, and whether it may write."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from huggingface_hub import HfApi, get_token

from stackwalls.hub_cards.publishing.hub_failures import LOG_IN
from stackwalls.hub_cards.publishing.repository import Repository
from stackwalls.model import RunError


@dataclass(frozen=True)
class Account:
    """The owner of a token.

    Attributes:
        name: the user.
        namespaces: under which repositories may be made: the user and organisations.
        role: "read", "write" or "fineGrained".
    """

    name: str
    namespaces: tuple[str, ...]
    role: str


def token_of(api: HfApi) -> str | None:
    """The token that the client sends, from where it was given or found (HF_TOKEN, `hf auth login`)."""
    if isinstance(api.token, str):
        return api.token
    return None if api.token is False else get_token()


def find_account(api: HfApi) -> Account | None:
    """Whose token it is; None without a token.

    Raises:
        Exception: what the client raises, such as for a token that the Hub does not know.
    """
    if token_of(api) is None:
        return None
    told: dict[str, Any] = api.whoami()
    organisations = [org["name"] for org in told.get("orgs", []) if org.get("roleInOrg") != "read"]
    role = told.get("auth", {}).get("accessToken", {}).get("role", "")
    return Account(told["name"], (told["name"], *organisations), role)


def check_may_write(api: HfApi, account: Account | None, repository: Repository) -> None:
    """Whether the token may write to a repository, or make it.

    Raises:
        RunError: if it may not, before anything is sent.
        Exception: what the client raises where the Hub refuses.
    """
    if account is None:
        raise RunError(f"Cannot publish to {repository.name}: there is no access token; {LOG_IN}.")
    if account.role == "read":
        raise RunError(
            f"Cannot publish to {repository.name}: the access token of {account.name} is for reading only; make one "
            f"with write access in the Hub's settings, then {LOG_IN}."
        )
    if repository.exists:
        api.auth_check(repository.name, repo_type=repository.kind, write=True)
    elif (namespace := repository.name.split("/")[0]) not in account.namespaces:
        raise RunError(
            f"Cannot make {repository.name}: the token is of {account.name}, who may write to "
            f"{', '.join(account.namespaces)}, not to {namespace}."
        )
