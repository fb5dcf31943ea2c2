"""A group whose commands are imported when they are called."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

import click

__all__ = ["LazyGroup"]


class LazyGroup(click.Group):
    """A group of the commands that the modules of a package hold, each called ``command``.

    Parameters
    ----------
    package : str
        Its module NAME holds the command NAME.
    lines : mapping
        Name → its line in the help of the group, which loads none of them.
    """

    def __init__(self, *args: Any, package: str, lines: Mapping[str, str], **words: Any) -> None:
        super().__init__(*args, **words)
        self._package = package
        self._lines = lines

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._lines)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._lines:
            return None
        command: click.Command = importlib.import_module(f"{self._package}.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does it, with a suggestion where a name is no command."""
        if args and args[0] not in self._lines and not args[0].startswith("-"):
            near = get_close_matches(args[0].lower(), self._lines, 1)
            meant = f"Did you mean {near[0]!r}?" if near else f"`{ctx.command_path} --help` lists them."
            ctx.fail(f"No such command {args[0]!r}. {meant}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(self._lines.items()))
