"""``ocfspawner explain``: what a server gets, and who decided it."""

from pathlib import Path
from typing import Any

import click

from ocfspawner.cli import hub as hubs
from ocfspawner.cli.output import (
    answering,
    config_option,
    ldif_option,
    output_option,
    policy_option,
    print_json,
    print_rows,
    print_table,
    server_option,
)
from ocfspawner.plan import MAX_NFS_GROUPS, ServerPlan
from ocfspawner.resources import Decided


@click.command(name="explain")
@click.argument("username")
@server_option
@ldif_option
@policy_option
@config_option
@output_option
def command(
    username: str, server: str, ldif: Path | None, policy: Path | None, config: Path | None, output: str
) -> None:
    """Say what USERNAME's server gets: home, mounts, ids, and each resource with who decided it.

    Below each value is what it overrode.  A profile is the default one, as nobody has chosen.

    \b
    ocfspawner explain alice
    ocfspawner explain alice --server gpu --policy resources-new.yaml
    """
    with answering(output):
        plan = hubs.run(_decide(username, server, config, ldif, policy))
    if output == "json":
        print_json(as_json(plan, server))
    else:
        _print(plan, server)


async def _decide(
    username: str, server: str, config: Path | None, ldif: Path | None, policy: Path | None
) -> ServerPlan:
    async with hubs.Hub.load(config, ldif, policy) as hub:
        return (await hub.decide(username, server)).plan


def as_json(plan: ServerPlan, server: str) -> dict[str, Any]:
    """The documented shape of ``explain --output json``."""
    account, home = plan.account, plan.home
    return {
        "username": account.username,
        "server": server,
        "uid": account.uid,
        "gid": account.gid,
        "groups": [{"name": group.name, "gid": group.gid} for group in account.groups],
        "home": {"path": home.path, "volume": home.source, "sub_path": home.sub_path},
        "notebook_dir": home.notebook_dir,
        "shell": plan.shell,
        "mounts": [{"path": mount["mountPath"], "volume": mount["name"]} for mount in plan.mounts],
        "environment": plan.environment,
        "resources": [
            {"name": name, **_decision(decided), "overrode": [_decision(before) for before in _before(decided)]}
            for name, decided in sorted(plan.resources.decided.items())
        ],
    }


def _decision(decided: Decided) -> dict[str, str]:
    return {"value": decided.text, "by": decided.origin}


def _before(decided: Decided) -> list[Decided]:
    return list(decided.history())[1:]


def _print(plan: ServerPlan, server: str) -> None:
    account, home = plan.account, plan.home
    groups = [f"{group.name} ({group.gid})" for group in account.groups]
    (kind, source) = next(iter(home.source.items()))
    volume = f"{kind} {source.get('claimName') or source.get('server')}"
    place = home.sub_path or source.get("path", "")
    print_rows(
        {
            "server": f"{account.username}, {f'named {server}' if server else 'the default one'}",
            "ids": f"uid {account.uid}, gid {account.gid}",
            "groups": ", ".join(groups),
            "home": f"{home.path} from {volume}, {place}",
            "notebooks": home.notebook_dir,
            "shell": _shell(plan),
            "mounts": ", ".join(f"{mount['mountPath']}" for mount in plan.mounts),
        }
    )
    if len(account.supplemental_gids) > MAX_NFS_GROUPS:
        click.echo(f"NFS carries {MAX_NFS_GROUPS} groups: the last ones don't count on files")
    rows = [row for name, decided in sorted(plan.resources.decided.items()) for row in _rows(name, decided)]
    if rows:
        print_table(("resource", "value", "decided by"), rows)
    else:
        click.echo("\nNothing decides on resources: the server takes what the node has.")


def _shell(plan: ServerPlan) -> str:
    own = plan.account.shell
    return plan.shell if own == plan.shell else f"{plan.shell}, as the image has no {own or 'shell of theirs'}"


def _rows(name: str, decided: Decided) -> list[tuple[str, str, str]]:
    first, *before = decided.history()
    overridden = [("", f"({one.text})", f"overridden: {one.origin}") for one in before]
    return [(name, first.text, first.origin), *overridden]
