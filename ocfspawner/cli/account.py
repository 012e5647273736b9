"""``ocfspawner account``: what the directory says of a person."""

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from ocfspawner.cli import hub as hubs
from ocfspawner.cli.exits import Unhealthy
from ocfspawner.cli.output import (
    answering,
    as_json,
    config_option,
    ldif_option,
    note,
    output_option,
    print_json,
    print_rows,
)
from ocfspawner.directory.client import Answer
from ocfspawner.errors import AccountDisabled, Refusal


@click.command(name="account")
@click.argument("username")
@ldif_option
@config_option
@output_option
def command(username: str, ldif: Path | None, config: Path | None, output: str) -> None:
    """Look USERNAME up in the directory, and print the account as parsed, or why it is refused.

    \b
    ocfspawner account alice
    ocfspawner account alice --output json
    """
    with answering(output):
        found = hubs.run(_look_up(username, config, ldif))
    if output == "json":
        print_json(found)
    else:
        _print(found)
    if found["refused"]:
        raise Unhealthy


async def _look_up(username: str, config: Path | None, ldif: Path | None) -> dict[str, Any]:
    async with hubs.Hub.load(config, ldif) as hub:
        began = time.monotonic()
        try:
            answer = await hub.accounts.lookup(username)
        except Refusal as refused:
            return {"account": None, "answered_by": None, "seconds": _since(began), "refused": as_json(refused)}
        return {
            "account": asdict(answer.account),
            "answered_by": _by_whom(answer),
            "seconds": _since(began),
            "refused": _disabled(answer),
        }


def _by_whom(answer: Answer) -> str:
    return answer.server or answer.source.value


def _disabled(answer: Answer) -> dict[str, str] | None:
    account = answer.account
    return as_json(AccountDisabled(account.username, account.disabled)) if account.disabled else None


def _since(began: float) -> float:
    return round(time.monotonic() - began, 4)


def _print(found: dict[str, Any]) -> None:
    account, refused = found["account"], found["refused"]
    if account:
        print_rows(
            {
                "username": account["username"],
                "uid": account["uid"],
                "gid": account["gid"],
                "groups": ", ".join(f"{group['name']} ({group['gid']})" for group in account["groups"]),
                "home": account["home"],
                "shell": account["shell"] or "none",
                "disabled": account["disabled"] or "no",
                "answered": f"by {found['answered_by']} in {found['seconds'] * 1000:.0f} ms",
            }
        )
    if refused:
        note(f"{refused['reason']}: {refused['detail']}")
        note(f"The person reads: {refused['user_text']}")
