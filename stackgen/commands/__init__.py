"""The sub-commands of `stackgen`, one file each: `add_arguments(parser)` and `run(args) -> exit status`.

Their modules import nothing but argparse at the top, so that `stackgen --help` answers at once.
"""
