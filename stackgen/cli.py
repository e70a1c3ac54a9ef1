"""The command line: `stackgen COMMAND …`.

Data goes to stdout, progress and warnings to stderr. Exit status 0: success; 1: the run failed; 2: invalid call;
130: stopped by Ctrl-C. Errors are one sentence; `--debug` shows the traceback.
"""

import argparse
import errno
import importlib
import io
import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import NoReturn

from stackwalls.model.errors import StackwallsError

COMMANDS = (
    "mix",
    "generate",
    "prompts",
    "review",
    "verify",
    "train",
    "miniature",
    "certify",
    "evaluate",
    "report",
    "check",
    "walls",
    "leaderboard",
    "theory",
    "publish",
    "demo",
)
"""Sub-commands in the order of `--help`; each is `stackgen/commands/NAME.py`, whose docstring is its help."""

RESUMED = frozenset({"mix", "generate", "miniature", "evaluate", "walls", "publish"})
"""The commands that resume a run that was stopped."""

_EPILOG = """\
A first run, offline:
  stackgen demo --out demo

The check on any network:
  stackgen mix --source /path/to/imagenet/val --classes 100 --out stack-mix
  stackgen evaluate stack-mix --model walled:resnet50 --out results
"""


class _Parser(argparse.ArgumentParser):
    """Removes access tokens from its errors, which quote the command line."""

    def error(self, message: str) -> NoReturn:
        from stackwalls.model.hub import without_tokens

        super().error(without_tokens(message))


def build_parser() -> argparse.ArgumentParser:
    """Build the parser with every sub-command, without importing a heavy library."""
    parser = _Parser(
        prog="stackgen",
        description="Check whether saliency maps highlight what a network provably cannot see.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"stackwalls {version('stackwalls')}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name in COMMANDS:
        module = importlib.import_module(f"stackwalls.stackgen.commands.{name}")
        about = module.__doc__ or ""
        layout = argparse.RawDescriptionHelpFormatter
        command = commands.add_parser(name, help=about.splitlines()[0], description=about, formatter_class=layout)
        module.add_arguments(command)
        command.add_argument("--debug", action="store_true", help="show the traceback of an error")
        command.set_defaults(run=module.run)
    return parser


def _fail(message: str, status: int) -> int:
    print(f"stackgen: {message}", file=sys.stderr)
    return status


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # a file's name may be no UTF-8
        sys.stdout.reconfigure(errors="backslashreplace")
    args = build_parser().parse_args(arguments)
    try:
        status: int = args.run(args)
        sys.stdout.flush()
    except KeyboardInterrupt:
        again = "resumes the run" if args.command in RESUMED else "starts over"
        return _fail(f"stopped: the same command {again}.", 130)
    except BrokenPipeError:
        # the reader of a pipe (`| head`) is gone: write nothing more to stdout, not even at exit
        sys.stdout = None
        return 0
    except (StackwallsError, OSError) as error:
        if args.debug:
            raise
        if isinstance(error, StackwallsError):
            return _fail(str(error), error.exit_status)
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        what = "The disk is full" if full else (error.strerror or str(error))
        where = f" at {error.filename}" if error.filename else ""
        advice = ": free some space, then run the same command again." if full else "."
        return _fail(f"{what}{where}{advice}", 1)
    return status
