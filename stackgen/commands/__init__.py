"""The sub-commands of `stackgen`, one file each: `add_arguments(parser)` and `run(args) -> exit status`.

A module's docstring is its help. To add a command, add a module and its name in `cli.COMMANDS`; what several commands
share goes into `_options` (`_network` and `_layers` for those that explain one, `_nouns` for those that draw,
`_settings` for those that train, `_cluster` for those whose work Ray can do). Modules import heavy libraries inside
functions, so that `stackgen --help` is instant.
"""
