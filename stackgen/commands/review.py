"""Look at every picture of a set on a page of this machine, and keep it or turn it down.

Opens a page in the browser, or prints its address: one picture at a time with the wall (and the animals' boxes), keys
to keep, turn down and comment, an overview. The page is served on this machine only (127.0.0.1), behind a random
token in the address, and loads nothing from elsewhere. On a machine without a browser of yours, forward its port:
ssh -L PORT:127.0.0.1:PORT MACHINE, with --port PORT here.

Every decision is stored at once in FOLDER/.review, beside the set, which is not changed. Ctrl-C ends the review; the
same command goes on with it. What was turned down is replaced by the command that made the set, with --redo-rejected.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stackwalls.stackgen.review import ReviewSession


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="a finished STACK-MIX or STACK-GEN folder")
    parser.add_argument("--port", type=int, default=0, metavar="PORT", help="of this machine (default: any free one)")
    parser.add_argument("--no-browser", action="store_true", help="only print the address")


def run(args: argparse.Namespace) -> int:
    """Serve the page until Ctrl-C, then say what was decided."""
    from stackwalls.model import InputError
    from stackwalls.stackgen.review import ReviewServer, ReviewSession

    if not 0 <= args.port <= 65535:
        raise InputError(f"Expected a port from 1 to 65535, or 0 for any free one, but got {args.port}.")
    with ReviewSession.open(args.folder) as session, ReviewServer(session, args.port) as server:
        print(server.address, flush=True)
        print(
            f"stackgen: {len(session)} pictures of {args.folder}; every decision is stored at once. "
            "Ctrl-C here ends the review.",
            file=sys.stderr,
        )
        if not args.no_browser and _has_browser():
            import webbrowser

            webbrowser.open(server.address)
        try:
            server.serve_forever(poll_interval=0.2)
        except KeyboardInterrupt:
            print(file=sys.stderr)
        print(_account(session), file=sys.stderr)
    return 0


def _has_browser() -> bool:
    """Whether a window can be opened here; a text browser would take over the terminal."""
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _account(session: ReviewSession) -> str:
    """What was decided, and what to type next."""
    counts = session.counts()
    said = f"stackgen: {counts.kept} kept, {counts.turned_down} turned down, {counts.undecided} undecided."
    if counts.turned_down:
        said += f"\nReplace what was turned down, with the options that made the set for …:  {session.redo_command()}"
    if counts.undecided:
        said += f"\nGo on with the review:  stackgen review {session.folder}"
    return said
