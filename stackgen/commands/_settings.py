"""Flags for the fields of a dataclass of settings, of the commands that train."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import fields
from typing import Any, get_args, get_origin, get_type_hints


def add_field_arguments(
    group: argparse._ActionsContainer, settings: type, default_of: Callable[[str], str] | None = None
) -> None:
    """Declare a flag for each field of a dataclass of settings that has a help text (`model.training.spec.value`).

    `default_of` says a field's default in words, where it is not the field's own.
    """
    for entry in fields(settings):
        if "help" not in entry.metadata:
            continue
        kind = get_type_hints(settings)[entry.name]
        text, default = entry.metadata["help"], entry.default if default_of is None else default_of(entry.name)
        options: dict[str, Any] = {
            "help": text if default is None or default is False else f"{text} (default {default})"
        }
        if get_origin(kind) is tuple:
            options |= {"type": float, "nargs": 2, "metavar": ("LOW", "HIGH")}
        elif bool in (kind, *get_args(kind)):
            options["action"] = argparse.BooleanOptionalAction
        else:
            kind = (*get_args(kind), kind)[0]  # of `int | None`: int
            options |= {"type": kind, "metavar": {int: "N", float: "X", str: "NAME"}[kind]}
        group.add_argument(f"--{entry.name.replace('_', '-')}", default=None, **options)


def given_fields(args: argparse.Namespace, settings: type) -> dict[str, Any]:
    """The fields of a dataclass of settings that were given as flags."""
    given = {entry.name: getattr(args, entry.name, None) for entry in fields(settings) if "help" in entry.metadata}
    return {name: tuple(v) if isinstance(v, list) else v for name, v in given.items() if v is not None}
