"""The commands of ``ocfspawner``, and what becomes of their errors."""

import gc
import importlib
import sys
from collections.abc import Sequence

import click

from ocfspawner.cli.deferred import defer
from ocfspawner.cli.exits import exit_status
from ocfspawner.cli.output import Patience

_COMMANDS = {
    "account": "What the directory says of a person.",
    "explain": "What a person's server gets, and who decided it.",
    "manifest": "The exact pod of a person's server.",
    "spawn": "Start a debug server as a person, and say what is wrong.",
    "check": "Look at configuration, directory, rights and secrets.",
    "simulate": "The resource policy over many accounts.",
    "policy": "Check, compare and describe policy files.",
}


class _Commands(click.Group):
    """Knows its commands by name and first line, so that ``--help`` imports none of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command = importlib.import_module(f"ocfspawner.cli.{cmd_name}").command
        return command if isinstance(command, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="ocfspawner")
def command() -> None:
    """Show what OCFSpawner would do for a person, and why.

    It reads the same jupyterhub_config.py as the Hub and builds the same spawner.  Its place is the Hub's pod, where
    the secrets and the rights are; `manifest --ldif`, `simulate --ldif` and `policy` run anywhere.

    \b
    kubectl -n jupyterhub exec deploy/hub -- ocfspawner explain alice
    kubectl -n jupyterhub exec -it deploy/hub -- ocfspawner spawn alice

    Exit status: 0 fine, 1 refused or unhealthy, 2 wrong usage, 3 a bug of ours, 130 interrupted.
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status."""
    with exit_status() as status, Patience.asked():
        command.main(args=arguments, prog_name="ocfspawner", standalone_mode=False)
    return status.code


def run() -> None:
    """The entry point, in a process of its own."""
    # A command lives for seconds: rounds over all that was imported and read would take a fifth of them.
    gc.set_threshold(500_000, 50, 50)
    defer()
    sys.exit(main())
