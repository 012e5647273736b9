"""``ocfspawner manifest``: the exact pod of a person's server."""

import difflib
from collections.abc import Mapping
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any

import click
import yaml

from ocfspawner.cli import detached
from ocfspawner.cli import hub as hubs
from ocfspawner.cli.cluster import ApiRefused, Cluster
from ocfspawner.cli.diagnosis import creation_refused
from ocfspawner.cli.exits import Unhealthy
from ocfspawner.cli.output import (
    answering,
    config_option,
    ldif_option,
    note,
    output_option,
    policy_option,
    print_json,
    server_option,
)
from ocfspawner.cli.redact import redacted
from ocfspawner.errors import ConfigurationError

if TYPE_CHECKING:
    from ocfspawner.spawner import OCFSpawner

_OF_THE_SERVER = ("uid", "resourceVersion", "creationTimestamp", "managedFields", "generation", "selfLink")
"""Metadata that the API server adds to a pod that exists."""


class _Yaml(yaml.SafeDumper):
    """Scripts as blocks of lines."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Yaml.add_representer(str, _text)


@click.command(name="manifest")
@click.argument("username")
@server_option
@click.option(
    "--diff",
    is_flag=False,
    flag_value="",
    default=None,
    metavar="[OTHER_USER]",
    help="Show what differs from the pod that runs, or from OTHER_USER's.",
)
@click.option("--dry-run", is_flag=True, help="Ask the API server what it would say; nothing is created.")
@ldif_option
@policy_option
@config_option
@output_option
def command(
    username: str,
    server: str,
    diff: str | None,
    dry_run: bool,
    ldif: Path | None,
    policy: Path | None,
    config: Path | None,
    output: str,
) -> None:
    """Print the pod that the Hub would create for USERNAME, as YAML, without its secrets.

    Needs no cluster, but for --dry-run and for --diff with the pod that runs.  pre_spawn_hook and
    auth_state_hook are not run, as they may change the world; modify_pod_hook is.

    \b
    ocfspawner manifest alice
    ocfspawner manifest alice --ldif people.ldif -f jupyterhub_config.py
    ocfspawner manifest alice --diff
    ocfspawner manifest alice --diff bob
    ocfspawner manifest alice --dry-run
    """
    with answering(output):
        hubs.run(_manifest(hubs.Hub.load(config, ldif, policy, exact=True), username, server, diff, dry_run, output))


async def _manifest(hub: hubs.Hub, username: str, server: str, diff: str | None, dry_run: bool, output: str) -> None:
    async with hub:
        spawner, pod = await _pod_of(hub, username, server)
        if spawner.pre_spawn_hook or spawner.auth_state_hook:
            note("pre_spawn_hook or auth_state_hook is configured, and was not run.")
        if dry_run:
            await _try(spawner, pod, output)
        elif diff is None:
            _print(redacted(pod), output)
        elif diff:
            _, other = await _pod_of(hub, diff, server)
            _print_diff(other, pod, f"{diff}'s pod", f"{username}'s pod", output)
        else:
            async with Cluster.of(spawner) as cluster:
                running = await _running(cluster, spawner)
                # Defaults are added to both, by the same API server.
                ours = await _as_created(cluster, pod)
            _print_diff(
                _settled(running), _settled(ours), "the pod that runs", "the pod that a start would make", output
            )


async def _pod_of(hub: hubs.Hub, username: str, server: str) -> "tuple[OCFSpawner, Mapping[str, Any]]":
    decision = await hub.decide(username, server)
    return decision.spawner, await detached.manifest(decision.spawner)


async def _try(spawner: "OCFSpawner", pod: Mapping[str, Any], output: str) -> None:
    async with Cluster.of(spawner) as cluster:
        try:
            await _as_created(cluster, pod)
        except ApiRefused as refused:
            finding = creation_refused(refused)
            if output == "json":
                print_json(
                    {"accepted": False, "reason": finding.reason, "why": finding.sentence, "cure": finding.cure}
                )
            else:
                click.echo(f"{finding.reason}: {finding.sentence}\n{finding.cure}")
            raise Unhealthy from None
    if output == "json":
        print_json({"accepted": True, "reason": None, "why": None, "cure": None})
    else:
        click.echo(f"The API server would create {pod['metadata']['name']}: schema, admission and quota are fine.")
        click.echo("Whether a node has room, and whether volumes can be mounted, only `ocfspawner spawn` tells.")


async def _as_created(cluster: Cluster, pod: Mapping[str, Any]) -> Mapping[str, Any]:
    """*pod* with all defaults, under a name that no server has: the person's own may be running."""
    name = f"ocf-dry-run-{token_hex(4)}"
    created = await cluster.create_pod({**pod, "metadata": {**pod["metadata"], "name": name}}, dry_run=True)
    return {**created, "metadata": {**created["metadata"], "name": pod["metadata"]["name"]}}


async def _running(cluster: Cluster, spawner: "OCFSpawner") -> Mapping[str, Any]:
    for pod in await cluster.pods(label_selector=f"component={spawner.component_label}"):
        annotations = pod["metadata"].get("annotations") or {}
        same_person = annotations.get("hub.jupyter.org/username") == spawner.user.name
        if same_person and annotations.get("hub.jupyter.org/servername", "") == spawner.name:
            return {"apiVersion": "v1", "kind": "Pod", **pod}
    raise ConfigurationError(f"{spawner.user.name} has no pod in the namespace {cluster.namespace}")


def _settled(pod: Mapping[str, Any]) -> Mapping[str, Any]:
    """Without what differs between any two pods that were created."""
    metadata = {key: value for key, value in pod["metadata"].items() if key not in _OF_THE_SERVER}
    spec = {key: value for key, value in pod["spec"].items() if key != "nodeName"}
    return {"apiVersion": pod["apiVersion"], "kind": pod["kind"], "metadata": metadata, "spec": spec}


def _as_yaml(pod: Mapping[str, Any]) -> str:
    return yaml.dump(redacted(pod), Dumper=_Yaml, sort_keys=True, allow_unicode=True, width=110)


def _print(pod: Mapping[str, Any], output: str) -> None:
    if output == "json":
        print_json(pod)
    else:
        click.echo(yaml.dump(pod, Dumper=_Yaml, sort_keys=False, allow_unicode=True, width=110), nl=False)


def _print_diff(old: Mapping[str, Any], new: Mapping[str, Any], before: str, after: str, output: str) -> None:
    lines = list(
        difflib.unified_diff(_as_yaml(old).splitlines(), _as_yaml(new).splitlines(), before, after, lineterm="")
    )
    if output == "json":
        print_json({"from": before, "to": after, "same": not lines, "diff": lines})
        return
    colours = {"-": "red", "+": "green", "@": "cyan"}
    for line in lines:
        click.secho(line, fg=colours.get(line[:1]))
    if not lines:
        click.echo("No difference.")
