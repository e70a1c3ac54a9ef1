"""What `--device` means in the scripts of this folder: what it means to `stackgen evaluate`."""

from __future__ import annotations

import argparse

from stackwalls.model import InputError, find_device


def available_device(name: str) -> str:
    """A `type` for argparse: the device's name, or one sentence where it is not there."""
    try:
        return str(find_device(name))
    except InputError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
