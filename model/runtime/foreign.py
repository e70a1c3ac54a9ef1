"""Third-party code inside this process: it cannot end it as if all is well, spoil stdout, or move it to another folder.

Imports nothing heavy: the command line is inside from its start.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import chdir, contextmanager, redirect_stdout
from pathlib import Path
from typing import Any, NoReturn

_ENDS = ("_exit", "execv", "execve")
"""Functions of `os` after which nothing of this process runs; the other `exec…` call these."""


@contextmanager
def no_exit() -> Iterator[None]:
    """`os._exit` and `os.exec…` raise SystemExit inside, as `sys.exit` does. A process forked inside may end itself."""
    process, before = os.getpid(), {name: getattr(os, name) for name in _ENDS}

    def instead(name: str) -> Any:
        def end(*args: Any, **kwargs: Any) -> NoReturn:
            if os.getpid() != process:
                before[name](*args, **kwargs)
            raise SystemExit(f"os.{name} was called")

        return end

    for name in _ENDS:
        setattr(os, name, instead(name))
    try:
        yield
    finally:
        for name, function in before.items():
            setattr(os, name, function)


@contextmanager
def contained() -> Iterator[None]:
    """A call of third-party code: what it prints goes to stderr, for stdout is the command's; it may not exit.

    Afterwards the working directory is as before: paths that a user typed are relative to it.
    """
    with redirect_stdout(sys.stderr), no_exit(), chdir(Path.cwd()):
        yield


@contextmanager
def quiet_logs(*libraries: Any) -> Iterator[None]:
    """Let the `logging` modules of transformers and diffusers log only errors inside, without progress bars."""
    before = [(library, library.get_verbosity(), library.is_progress_bar_enabled()) for library in libraries]
    try:
        for library in libraries:
            library.set_verbosity_error()
            library.disable_progress_bar()
        yield
    finally:
        for library, verbosity, bar in before:
            library.set_verbosity(verbosity)
            if bar:
                library.enable_progress_bar()
