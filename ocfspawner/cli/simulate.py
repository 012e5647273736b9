"""``ocfspawner simulate``: the policy over many accounts."""

import logging
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import click

from ocfspawner.cli import hub as hubs
from ocfspawner.cli import simulation
from ocfspawner.cli.cluster import ApiRefused, Cluster, NoCluster
from ocfspawner.cli.everybody import Whom, verdicts, whom, whom_options
from ocfspawner.cli.output import (
    answering,
    config_option,
    note,
    output_option,
    policy_option,
    print_json,
    print_table,
    server_option,
)
from ocfspawner.policy import Policy
from ocfspawner.policy_file import load_policy

_MOST_ROWS = 20
_MOST_NAMES = 5


@click.command(name="simulate")
@whom_options
@server_option
@click.option("--nodes", is_flag=True, help="Compare with what the nodes have.  Default in a pod of the cluster.")
@policy_option
@config_option
@output_option
def command(
    users: Path | None,
    group: str | None,
    everybody: bool,
    ldif: Path | None,
    server: str,
    nodes: bool,
    policy: Path | None,
    config: Path | None,
    output: str,
) -> None:
    """Decide for many accounts: who gets what, which rules do nothing, who is refused and why.

    \b
    ocfspawner simulate --all
    ocfspawner simulate --group staff --policy resources-new.yaml
    ocfspawner simulate --ldif people.ldif -f jupyterhub_config.py
    """
    accounts = whom(users, group, everybody, ldif)
    with answering(output):
        found = hubs.run(_simulate(hubs.Hub.load(config, ldif, policy), accounts, server, nodes))
    if output == "json":
        print_json(found)
    else:
        _print(found)


async def _simulate(hub: hubs.Hub, accounts: Whom, server: str, nodes: bool) -> dict[str, Any]:
    async with hub:
        spawner = hub.spawner("nobody", server)
        policy = load_policy(spawner.policy_file, logging.getLogger()) if spawner.policy_file else Policy()
        found = await verdicts(hub, accounts, server)
        has = await _nodes(spawner) if nodes or "KUBERNETES_SERVICE_HOST" in os.environ else None
    wanted = simulation.guarantees(found)
    return {
        "accounts": len(found),
        "served": sum(verdict.resources is not None for verdict in found),
        "shares": [asdict(share) for share in simulation.shares(found)],
        "rules": [asdict(use) for use in simulation.rule_uses(policy, found, date.today())],
        "guarantees": {
            name: {"all_servers": simulation.shown(name, amount), "nodes": _of(has, name)}
            for name, amount in sorted(wanted.items())
        },
        "refused": [
            {"username": verdict.username, "reason": verdict.refused.reason, "detail": verdict.refused.admin_text}
            for verdict in found
            if verdict.refused
        ],
    }


async def _nodes(spawner: Any) -> Mapping[str, Decimal | int] | None:
    try:
        async with Cluster.of(spawner) as cluster:
            # Asked for first: a request that is denied looks like an attack in an audit log.
            if await cluster.may("list", "nodes", cluster_wide=True):
                return simulation.allocatable(await cluster.nodes())
            note("No word on the nodes: we may not list them.")
    except (ApiRefused, NoCluster) as refused:
        note(f"No word on the nodes: {refused.admin_text}")
    return None


def _of(has: Mapping[str, Decimal | int] | None, name: str) -> str | None:
    return None if has is None else simulation.shown(name, has.get(name, 0))


# -- for people ------------------------------------------------------------------------------


def _print(found: Mapping[str, Any]) -> None:
    click.echo(f"{found['accounts']} accounts, {found['served']} get a server, {len(found['refused'])} are refused")
    _print_shares(found["shares"])
    if found["rules"]:
        rows = [(use["origin"], use["accounts"], use["decides"], use["remark"]) for use in found["rules"]]
        print_table(("rule", "means", "decides for", ""), rows, right=("means", "decides for"), title="Rules")
    sums = [(name, sum_["all_servers"], sum_["nodes"] or "?") for name, sum_ in found["guarantees"].items()]
    if sums:
        columns = ("", "if all ran", "nodes have")
        print_table(columns, sums, right=columns[1:], title="Guarantees")
    _print_refused(found["refused"])


def _print_shares(shares: Sequence[Mapping[str, Any]]) -> None:
    names = sorted({name for share in shares for name in share["resources"]})
    rows = [
        (share["accounts"], *(share["resources"].get(name, "-") for name in names), ", ".join(share["examples"]))
        for share in shares[:_MOST_ROWS]
    ]
    if rows:
        columns = ("accounts", *names, "such as")
        print_table(columns, rows, right=("accounts", *names), title="Who gets what")
    if len(shares) > _MOST_ROWS:
        click.echo(f"and {len(shares) - _MOST_ROWS} other shares; --output json has them all")


def _print_refused(refused: Sequence[Mapping[str, str]]) -> None:
    names: dict[str, list[str]] = defaultdict(list)
    for one in refused:
        names[one["reason"]].append(one["username"])
    details = {one["reason"]: one["detail"] for one in reversed(refused)}
    rows = [
        (
            reason,
            len(users),
            ", ".join(users[:_MOST_NAMES]) + (", …" if len(users) > _MOST_NAMES else ""),
            details[reason],
        )
        for reason, users in names.items()
    ]
    if rows:
        print_table(
            ("reason", "accounts", "who", "the first one's detail"), rows, right=("accounts",), title="Refused"
        )
