"""The two kinds of failure that a user meets, each one clear sentence and an exit status of its own."""


class StackwallsError(Exception):
    """Base of every error that this package raises on purpose.

    The message says what was wrong, what was expected and what to do. The command line prints it without a
    traceback and exits with `exit_status`.
    """

    exit_status = 1


class InputError(StackwallsError, ValueError):
    """A wrong call: an argument, a file or a folder that is not what was asked for (exit status 2)."""

    exit_status = 2


class RunError(StackwallsError, RuntimeError):
    """A right call that could not be carried out: a full disk, a leaky network, too few images (exit status 1)."""

    exit_status = 1
