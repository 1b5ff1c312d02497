"""Command groups that are commands themselves, so that `nucleate dft RUN` means `nucleate dft run RUN`."""

from __future__ import annotations

from typing import Any

import typer.core


class DefaultGroup(typer.core.TyperGroup):
    """A group that takes its command `default` where the first argument is not the name of a command.

    A folder that has the name of a command, such as "inputs", must therefore be written as ./inputs.
    """

    default = "run"

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        own = {name for p in self.params for name in (*p.opts, *p.secondary_opts)} | set(ctx.help_option_names)
        if args and args[0] not in self.commands and args[0] not in own:
            args = [self.default, *args]
        return super().parse_args(ctx, args)


def default_group(command: str) -> type[DefaultGroup]:
    """The class of a group with this default command, for `typer.Typer(cls=...)`."""
    return type("DefaultGroup", (DefaultGroup,), {"default": command})
