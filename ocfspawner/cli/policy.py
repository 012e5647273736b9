"""``ocfspawner policy``: check, compare and describe policy files."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import click

from ocfspawner.cli import hub as hubs
from ocfspawner.cli.everybody import Verdict, Whom, verdicts, whom, whom_options
from ocfspawner.cli.output import answering, config_option, output_option, print_json, print_table, server_option
from ocfspawner.cli.simulation import values
from ocfspawner.errors import PolicyInvalid
from ocfspawner.policy import Policy, Rule

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_NOTHING = "-"


@click.group(name="policy")
def command() -> None:
    """Check, compare and describe files that say who gets which resources.  No cluster is needed."""


# -- check -----------------------------------------------------------------------------------


@command.command()
@click.argument("file", type=_FILE)
@output_option
def check(file: Path, output: str) -> None:
    """Read FILE, and name every mistake with its line; and what is right but does nothing.

    \b
    ocfspawner policy check resources.yaml
    """
    with answering(output):
        policy = _read(file)
    found = list(remarks(policy, date.today()))
    if output == "json":
        print_json({"file": str(file), "rules": len(policy.rules), "remarks": found})
        return
    for remark in found:
        click.echo(remark)
    ceiling = ", ".join(f"{name} {most}" for name, most in policy.ceiling.items())
    click.echo(f"{file}: valid, {len(policy.rules)} rules, ceiling: {ceiling or 'none'}")


def _read(file: Path) -> Policy:
    from ocfspawner.policy_text import parse_policy

    try:
        return parse_policy(file.read_text(encoding="utf-8"), file.name)
    except (OSError, UnicodeDecodeError) as error:
        raise PolicyInvalid(f"{file}: {error}") from None


def remarks(policy: Policy, today: date) -> Iterator[str]:
    """What is no mistake, and yet hardly meant."""
    for index, rule in enumerate(policy.rules):
        if rule.until is not None and rule.until < today:
            yield f"{rule.origin}: over since {rule.until}"
        later = [other for other in policy.rules[index + 1 :] if _is_for_all(other)]
        if all(any(name in other.values for other in later) for name in rule.values):
            yield f"{rule.origin}: always overridden, by rules for everyone below it"
        for name, value in rule.values.items():
            most = policy.ceiling.get(name.replace("guarantee", "limit"))
            if most is not None and not isinstance(value, str | tuple) and value > most:
                yield f"{rule.origin}: {name} {value} is above the ceiling, {most}"


def _is_for_all(rule: Rule) -> bool:
    return rule.users is None and rule.groups is None and rule.servers is None and rule.until is None


# -- schema ----------------------------------------------------------------------------------


@command.command()
@output_option
def schema(output: str) -> None:
    """Print the JSON Schema of the file, for editors; with either --output, as it has no other form.

    \b
    ocfspawner policy schema > resources.schema.json
    """
    from ocfspawner.policy_text import json_schema

    print_json(json_schema())


# -- diff ------------------------------------------------------------------------------------


@command.command()
@click.argument("old", type=_FILE)
@click.argument("new", type=_FILE)
@whom_options
@server_option
@config_option
@output_option
def diff(
    old: Path,
    new: Path,
    users: Path | None,
    group: str | None,
    everybody: bool,
    ldif: Path | None,
    server: str,
    config: Path | None,
    output: str,
) -> None:
    """Say which accounts would get something else by NEW than by OLD, and what.

    \b
    ocfspawner policy diff resources.yaml resources-new.yaml --all
    ocfspawner policy diff resources.yaml resources-new.yaml --ldif people.ldif
    """
    accounts = whom(users, group, everybody, ldif)
    with answering(output):
        _read(old), _read(new)
        before, after = hubs.run(_both(hubs.Hub.load(config, ldif), accounts, server, old, new))
    changes = _changes(before, after)
    changed = len({username for names in changes.values() for username in names})
    if output == "json":
        print_json(
            {
                "accounts": len(before),
                "changed": changed,
                "changes": [
                    {"resource": name, "old": was, "new": becomes, "accounts": names}
                    for (name, was, becomes), names in changes.items()
                ],
            }
        )
        return
    click.echo(f"{len(before)} accounts, {changed} would get something else")
    if changes:
        rows = [(name, was, becomes, len(names), _some(names)) for (name, was, becomes), names in changes.items()]
        print_table(("resource", "old", "new", "accounts", "who"), rows, right=("accounts",))


async def _both(
    hub: hubs.Hub, accounts: Whom, server: str, old: Path, new: Path
) -> tuple[Sequence[Verdict], Sequence[Verdict]]:
    async with hub:
        return await verdicts(hub, accounts, server, old), await verdicts(hub, accounts, server, new)


def _changes(before: Sequence[Verdict], after: Sequence[Verdict]) -> Mapping[tuple[str, str, str], Sequence[str]]:
    """Accounts by what changes for them, the many first."""
    changes: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for was, becomes in zip(before, after, strict=True):
        old, new = _values(was), _values(becomes)
        for name in sorted(old.keys() | new.keys()):
            if old.get(name) != new.get(name):
                changes[name, old.get(name, _NOTHING), new.get(name, _NOTHING)].append(was.username)
    return dict(sorted(changes.items(), key=lambda item: (-len(item[1]), item[0])))


def _values(verdict: Verdict) -> Mapping[str, Any]:
    return values(verdict.resources) if verdict.resources is not None else {}


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
