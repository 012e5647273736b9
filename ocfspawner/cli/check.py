"""``ocfspawner check``: a look at everything that a start needs, before anybody starts."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

import click

from ocfspawner.cli import checks, checks_outside
from ocfspawner.cli import hub as hubs
from ocfspawner.cli.checks import Result, State
from ocfspawner.cli.diagnosis import CURES
from ocfspawner.cli.exits import Unhealthy
from ocfspawner.cli.output import Patience, answering, config_option, note, output_option, print_json, print_table
from ocfspawner.errors import Refusal

_SECONDS = 20.0
"""For one check."""


@click.command(name="check")
@config_option
@output_option
def command(config: Path | None, output: str) -> None:
    """Look at configuration, policy, directory, API rights, claims, images, database and secrets.

    Each line is fine, or says how to cure it.  Nothing is changed.  Exit status 1 when something is bad; what is only
    doubtful does not count.

    \b
    kubectl -n jupyterhub exec deploy/hub -- ocfspawner check
    """
    with answering(output):
        if output == "text":
            Patience.not_needed()
            note("Looking …")
        results = hubs.run(_check(config))
    if output == "json":
        healthy = not any(result.state is State.BAD for result in results)
        print_json({"ok": healthy, "checks": [{**asdict(r), "state": r.state.value} for r in results]})
    else:
        _print(results)
    if any(result.state is State.BAD for result in results):
        raise Unhealthy


async def _check(config: Path | None) -> Sequence[Result]:
    async with hubs.Hub.load(config, exact=True) as hub:
        results = [Result("configuration", State.FINE, f"{hub.path} loads")]
        for name, look in checks.LOOKS:
            results += await _guarded(name, checks.apart(partial(_all, look, hub)))
        for name, ask in checks_outside.QUESTIONS:
            results += await _guarded(name, ask(hub))
        return results


def _all(look: Callable[[hubs.Hub], Iterable[Result]], hub: hubs.Hub) -> Sequence[Result]:
    return list(look(hub))


async def _guarded(name: str, work: Awaitable[Iterable[Result]]) -> Sequence[Result]:
    """What *work* finds; a refusal, and a time that runs out, are findings too."""
    try:
        async with asyncio.timeout(_SECONDS):
            return list(await work)
    except Refusal as refused:
        return [Result(name, State.BAD, refused.admin_text, CURES.get(refused.reason, ""))]
    except TimeoutError:
        return [Result(name, State.BAD, f"no answer within {_SECONDS:g} s")]


def _print(results: Sequence[Result]) -> None:
    print_table(("", "check", "finding", "cure"), [(r.state.value, r.name, r.detail, r.cure) for r in results])
    bad = sum(result.state is State.BAD for result in results)
    click.secho(
        "All is fine." if not bad else f"{bad} of {len(results)} checks are bad.", fg="red" if bad else "green"
    )
