"""The root of the command line: loads a command's module when it is asked for, and words every error."""

from __future__ import annotations

import importlib
import traceback
from collections.abc import Mapping
from typing import Any

import click

from api.commands.shared import Failure, worded


class RootGroup(click.Group):
    """Commands by name, each as `module:attribute`, so that `token create` doesn't load the demo.

    Whatever a command raises ends as one line on standard error and an exit code, never as a traceback.
    """

    def __init__(self, *, commands_by_name: Mapping[str, str], **arguments: Any) -> None:
        super().__init__(**arguments)
        self._places = dict(commands_by_name)

    def list_commands(self, context: click.Context) -> list[str]:
        """All names, in the order in which a newcomer needs them."""
        return list(self._places)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """The command of that name, loaded now."""
        if name not in self._places:
            return None
        module, _, attribute = self._places[name].partition(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def invoke(self, context: click.Context) -> Any:
        """Run the command; raises click's own exceptions only."""
        try:
            return super().invoke(context)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            if context.params.get("debug"):
                traceback.print_exc()
            failure: Failure = worded(error)
            raise failure from error
