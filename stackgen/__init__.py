"""STACK-GEN and the command line.

- `cli`: the command `stackgen`, which finds its sub-commands in `commands/` and loads them at their first use
- `commands/`: one file a sub-command
"""
