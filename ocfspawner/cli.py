"""The command line: what the Hub would do for one person, without doing it.

It loads the same ``jupyterhub_config.py`` as the Hub.  Exit status: 0 fine, 1 refused, 2 usage, 130 interrupted.
"""

import asyncio
import dataclasses
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ocfspawner.errors import ConfigurationError, Refusal

if TYPE_CHECKING:
    from ocfspawner.account import Account
    from ocfspawner.directory.config import LDAPDirectory


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="ocfspawner")
@click.option(
    "-f",
    "--config",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    default=Path("/srv/jupyterhub/jupyterhub_config.py"),
    show_default=True,
    help="The Hub's configuration.",
)
@click.pass_context
def main(context: click.Context, config: Path) -> None:
    """Show what OCFSpawner knows and would do.

    Its place is the Hub's pod, where the secrets and the rights are:

        kubectl exec deploy/hub -- ocfspawner account alice
    """
    context.obj = config


@main.command()
@click.argument("username")
@click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.pass_obj
def account(config: Path, username: str, output: str) -> None:
    """Look USERNAME up in the directory and print the account, or why it is refused."""
    try:
        found = asyncio.run(_lookup(config, username))
    except Refusal as refused:
        click.echo(f"{refused.reason}: {refused.admin_text}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)  # click would make it 1, which means refused
    click.echo(json.dumps(dataclasses.asdict(found), indent=2) if output == "json" else _table(found))
    if found.disabled:
        sys.exit(1)


async def _lookup(config: Path, username: str) -> "Account":
    directory = _load(config).directory()
    try:
        return await directory.lookup(username)
    finally:
        directory.close()


def _load(path: Path) -> "LDAPDirectory":
    # Imported here: `--help` has no use for them, and they take most of a second.
    from traitlets.config.loader import PyFileConfigLoader

    from ocfspawner.directory.config import LDAPDirectory

    directory = LDAPDirectory(config=PyFileConfigLoader(path.name, path=str(path.parent)).load_config())
    if not directory.configured:
        raise ConfigurationError(f"{path} names no directory: set c.LDAPDirectory.urls")
    return directory


def _table(account: "Account") -> str:
    rows = {
        "username": account.username,
        "uid": account.uid,
        "gid": account.gid,
        "groups": ", ".join(f"{group.name} ({group.gid})" for group in account.groups),
        "home": account.home,
        "shell": account.shell or "none",
        "disabled": account.disabled or "no",
    }
    return "\n".join(f"{name:<9} {value}" for name, value in rows.items())
