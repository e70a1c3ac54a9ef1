"""Pages of the commands, from the parser: nothing in them is written by hand."""

from __future__ import annotations

import argparse
import html
import inspect
import re
from functools import cache, partial
from importlib import import_module
from itertools import groupby
from textwrap import dedent

from stackwalls.stackgen import cli

COMMANDS = cli.COMMANDS


@cache
def pages() -> dict[str, str]:
    """Page → Markdown."""
    parser = cli.build_parser()
    [commands] = [action.choices for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    return {"commands/index.md": _overview(parser)} | {
        f"commands/{name}.md": _page(name, command) for name, command in commands.items()
    }


def _overview(parser: argparse.ArgumentParser) -> str:
    rows = [f"| [`{name}`]({name}.md) | {_about(name).splitlines()[0]} | {_resumes(name)} |" for name in cli.COMMANDS]
    conventions = (inspect.getdoc(cli) or "").partition("\n\n")[2]
    return "\n".join(
        (
            "# Commands",
            f"\n{parser.description} Every page lists what `stackgen COMMAND --help` prints.\n",
            "| command | what it does | the same command resumes a stopped run |",
            "|---|---|---|",
            *rows,
            f"\n## Exit codes and output\n\n{conventions}\n",
            f"## A first run\n\n```text\n{inspect.cleandoc(parser.epilog or '')}\n```\n",
        )
    )


def _about(name: str) -> str:
    return inspect.getdoc(import_module(f"stackwalls.stackgen.commands.{name}")) or ""


def _resumes(name: str) -> str:
    if name == "train":
        return "with `--resume`"
    return "yes" if name in cli.RESUMED else ""


def _page(name: str, command: argparse.ArgumentParser) -> str:
    command.formatter_class = partial(argparse.RawDescriptionHelpFormatter, width=76)
    usage = command.format_usage().removeprefix("usage: ").rstrip()
    lines = [f"# stackgen {name}", _description(inspect.cleandoc(command.description or "")), f"```text\n{usage}\n```"]
    for group in command._action_groups:
        if actions := [action for action in group._group_actions if action.help != argparse.SUPPRESS]:
            title = group.title or "options"
            lines.append(f"## {title[0].upper()}{title[1:]}")
            lines += [_option(command, action) for action in actions]
    return "\n\n".join(lines) + "\n"


def _description(text: str) -> str:
    """A description as Markdown; indented lines are lists and examples, whose columns are kept."""
    runs = [
        (indented, "\n".join(run)) for indented, run in groupby(text.splitlines(), lambda line: line.startswith("  "))
    ]
    return "\n".join(f"\n```text\n{dedent(run)}\n```\n" if indented else _prose(run) for indented, run in runs)


def _option(command: argparse.ArgumentParser, action: argparse.Action) -> str:
    """An entry of a definition list; its anchor is the longest name."""
    formatter = command._get_formatter()
    anchor = max(action.option_strings, key=len, default=action.dest)
    text = formatter._expand_help(action) if action.help else ""
    if action.required and action.option_strings:
        text += " (required)"
    elif action.default not in (None, False, argparse.SUPPRESS) and "default" not in text:
        text += f" (default {action.default})"
    return f"`{formatter._format_action_invocation(action)}`{{ #{anchor} }}\n:   {_prose(text)}"


def _prose(text: str) -> str:
    """Plain text as Markdown: what stands between backticks is code, and nothing else is markup."""
    spans = re.split(r"(`[^`]+`)", text)
    return "".join(
        span if number % 2 else re.sub(r"([*_\[\]])", r"\\\1", html.escape(span, quote=False))
        for number, span in enumerate(spans)
    )
