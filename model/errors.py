"""The two kinds of failure that a user meets: one clear sentence each, with its own exit status."""


class StackwallsError(Exception):
    """Base of every error that this package raises on purpose.

    The message says what was wrong, what was expected and what to do. The command line prints it without a
    traceback and exits with `exit_status`.
    """

    exit_status = 1


class InputError(StackwallsError, ValueError):
    """A wrong call: an argument, file or folder that is not what was expected (exit status 2)."""

    exit_status = 2


class RunError(StackwallsError, RuntimeError):
    """A valid call that failed: a full disk, a leaky network, too few images (exit status 1)."""

    exit_status = 1
