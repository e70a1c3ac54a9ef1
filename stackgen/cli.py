"""The command line: `stackgen COMMAND …`.

Data goes to stdout, progress and warnings to stderr. Exit status 0: success; 1: the run failed; 2: invalid call;
130: stopped by Ctrl-C. Errors are one sentence; `--debug` shows the traceback.
"""

import argparse
import errno
import importlib
import io
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from importlib.metadata import version
from pathlib import Path
from typing import NoReturn

import stackwalls.stackgen.commands._options as options
from stackwalls.model.errors import RunError, StackwallsError, reason_of, without_tokens
from stackwalls.model.runtime.foreign import no_exit
from stackwalls.model.runtime.signals import interrupted_once

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
    "judge",
    "walls",
    "leaderboard",
    "theory",
    "publish",
    "demo",
)
"""Sub-commands in the order of `--help`; each is `stackgen/commands/NAME.py`, whose docstring is its help."""

RESUMED = frozenset({"mix", "generate", "miniature", "evaluate", "judge", "walls", "publish"})
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
    options.say(message)
    return status


def _with_home(value: object) -> object:
    """The value of an option with `~` for the home folder, as a shell writes it where it is not quoted."""
    if isinstance(value, list):
        return [_with_home(each) for each in value]
    # a Path of a text would change it: hf://… and https://…
    return type(value)(os.path.expanduser(value)) if isinstance(value, str | Path) else value  # noqa: PTH111


@contextmanager
def _open_streams() -> Iterator[None]:
    """Streams that take any text; one that the shell closed (`>&-`) is the null device, or the next file opened is."""
    with ExitStack() as stack:
        for name in ("stdout", "stderr"):
            if getattr(sys, name) is None:
                setattr(sys, name, stack.enter_context(Path(os.devnull).open("w")))
                stack.callback(setattr, sys, name, None)
        if isinstance(sys.stdout, io.TextIOWrapper):  # a file's name may be no UTF-8
            sys.stdout.reconfigure(errors="backslashreplace")
        yield


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status; without `arguments`, the process's own, which ends after it."""
    if arguments is None:
        # before torch is imported: by default its threads spin while they wait for each other, and so take the cores
        # from those that work; on a busy machine that costs ten times the work itself
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    with _open_streams(), interrupted_once(process_ends=arguments is None):
        return _run(arguments)


def _run(arguments: Sequence[str] | None) -> int:
    """Run a command; whatever it raises is a sentence and a status."""
    args = argparse.Namespace(command=None, debug=False)  # if Ctrl-C comes before the call is read
    try:
        build_parser().parse_args(arguments, args)
        for name, value in vars(args).items():
            setattr(args, name, _with_home(value))
        return _finished(args)
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


def _finished(args: argparse.Namespace) -> int:
    """The status of a command that third-party code in it cannot end."""
    with no_exit(), options.stdout_for_json() if getattr(args, "json", False) else nullcontext():
        try:
            status: int = args.run(args)
        except SystemExit as error:  # no command raises it
            ended = f"Third-party code ended the command ({reason_of(error)})"
            raise RunError(f"{ended}, so it is not finished.") from error
        sys.stdout.flush()
    return status
