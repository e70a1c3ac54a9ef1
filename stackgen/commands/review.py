"""Review every image of a set in the browser: keep it or reject it.

Opens a local page, or prints its address. The page shows one image at a time with the wall and the animals' boxes, and
an overview; keyboard shortcuts keep, reject and comment. It is served on this machine only (127.0.0.1), behind a random
token in the address, and loads nothing from elsewhere. On a remote machine, forward a port:
ssh -L PORT:127.0.0.1:PORT MACHINE, with --port PORT here.

Every decision is saved immediately in FOLDER/.review; the set itself is not changed. Ctrl-C ends the review, and the
same command resumes it. To replace rejected images, run the command that made the set with --redo-rejected.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

import stackwalls.stackgen.commands._options as options

if TYPE_CHECKING:
    from stackwalls.stackgen.review.review_session import ReviewSession


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="a finished STACK-MIX or STACK-GEN folder")
    parser.add_argument("--port", type=int, default=0, metavar="PORT", help="port to listen on (default: any free one)")
    parser.add_argument("--no-browser", action="store_true", help="print the address without opening a browser")


def run(args: argparse.Namespace) -> int:
    """Serve the page until Ctrl-C, then summarize the decisions."""
    from stackwalls.model import InputError
    from stackwalls.stackgen.review.review_server import ReviewServer
    from stackwalls.stackgen.review.review_session import ReviewSession

    if not 0 <= args.port <= 65535:
        raise InputError(f"Expected a port from 1 to 65535, or 0 for any free one, but got {args.port}.")
    with ReviewSession.open(args.folder) as session, ReviewServer(session, args.port) as server:
        print(server.address, flush=True)
        saved = "Every decision is saved immediately; press Ctrl-C to end the review."
        options.say(f"{len(session)} images in {args.folder}. {saved}")
        if not args.no_browser and _has_browser():
            import webbrowser

            webbrowser.open(server.address)
        try:
            server.serve_forever(poll_interval=0.2)
        except KeyboardInterrupt:
            print(file=sys.stderr)
        options.say(_summary(session))
    return 0


def _has_browser() -> bool:
    """Whether a window can be opened; a text browser would take over the terminal."""
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _summary(session: ReviewSession) -> str:
    """The decisions, and the commands to run next."""
    counts = session.counts()
    lines = [f"{counts.kept} kept, {counts.rejected} rejected, {counts.undecided} undecided."]
    if counts.rejected:
        lines.append(f"Replace the rejected images (… stands for the set's options):  {session.redo_command()}")
    if counts.undecided:
        lines.append(f"Resume the review:  stackgen review {quote(str(session.folder))}")
    return "\n".join(lines)
