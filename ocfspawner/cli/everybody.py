"""What many accounts would get: the same decision as for one, again and again."""

import asyncio
import logging
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ocfspawner.cli import detached
from ocfspawner.cli import hub as hubs
from ocfspawner.cli.output import F, Patience, ldif_option, note
from ocfspawner.directory.client import Answer
from ocfspawner.errors import ConfigurationError, DirectoryError, Refusal

if TYPE_CHECKING:
    from ocfspawner.resources import Resources
    from ocfspawner.spawner import OCFSpawner

_AT_ONCE = 64
"""Look-ups that are asked for together; the directory's client has its own limit on connections."""

_PATIENCE = 2.0
"""Seconds without a word; after them, progress is shown."""


@dataclass(frozen=True, slots=True)
class Whom:
    """Which accounts: those of a file, of a group, or all."""

    users: Path | None = None
    group: str | None = None

    async def names(self, hub: hubs.Hub) -> Sequence[str]:
        """Their names, sorted, each once; for a group those of everybody, to be looked at."""
        if self.users is None:
            return sorted(set(await hub.accounts.usernames()))
        try:
            lines = self.users.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{self.users}: {error}") from None
        names = {line.strip() for line in lines}
        return sorted(name for name in names if name and not name.startswith("#"))

    def means(self, answer: Answer) -> bool:
        """Whether this account is among them."""
        return self.group is None or self.group in answer.account.group_names


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one account would get, or why it would get nothing."""

    username: str
    resources: "Resources | None" = None
    refused: Refusal | None = None


async def verdicts(hub: hubs.Hub, whom: Whom, server: str = "", policy: Path | None = None) -> list[Verdict]:
    """The verdict on each account, in the order of their names.

    Raises `DirectoryError` when the directory goes away, as that says nothing of an account.
    """
    names = await whom.names(hub)
    with _silent():
        return [verdict async for verdict in _verdicts(hub, names, whom, server, policy)]


async def _verdicts(
    hub: hubs.Hub, names: Sequence[str], whom: Whom, server: str, policy: Path | None
) -> AsyncIterator[Verdict]:
    series = _Series(hub, server, policy)
    with _progress(len(names)) as show:
        for start in range(0, len(names), _AT_ONCE):
            chunk = names[start : start + _AT_ONCE]
            answers = await _look_up(hub, chunk)
            for username, answer in zip(chunk, answers, strict=True):
                if isinstance(answer, DirectoryError) or not isinstance(answer, Answer | Refusal):
                    raise answer
                if isinstance(answer, Refusal):
                    # Who can't be looked up is in no group.
                    if whom.group is None:
                        yield Verdict(username, refused=answer)
                elif whom.means(answer):
                    yield await series.verdict(username, answer)
            show(start + len(chunk))


async def _look_up(hub: hubs.Hub, usernames: Sequence[str]) -> Sequence[Answer | BaseException]:
    """All at once from a directory; one by one from a file, which has nothing to wait for."""
    if hub.from_file:
        return [await _answer(hub, username) for username in usernames]
    return await asyncio.gather(*map(hub.accounts.lookup, usernames), return_exceptions=True)


async def _answer(hub: hubs.Hub, username: str) -> Answer | BaseException:
    try:
        return await hub.accounts.lookup(username)
    except Refusal as refused:
        return refused


class _Series:
    """One spawner for many accounts, as the Hub keeps one for many starts.

    Group overrides leave their traces on a spawner, so with them each account has its own.
    """

    def __init__(self, hub: hubs.Hub, server: str, policy: Path | None) -> None:
        self._hub = hub
        self._server = server
        self._policy = policy
        self._spawner = self._new("nobody", None)

    def _new(self, username: str, answer: Answer | None) -> "OCFSpawner":
        spawner = self._hub.spawner(username, self._server, answer)
        if self._policy is not None:
            spawner.policy_file = str(self._policy)
        return spawner

    async def verdict(self, username: str, answer: Answer) -> Verdict:
        """What the spawner decides for this account."""
        if self._spawner.group_overrides:
            spawner = self._new(username, answer)
        else:
            spawner = self._spawner
            spawner.user = detached.user(username, sorted(answer.account.group_names))
        try:
            plan = await detached.decide(spawner)
        except Refusal as refused:
            if refused.reason == "policy-invalid":
                raise
            return Verdict(username, refused=refused)
        return Verdict(username, plan.resources)


@contextmanager
def _silent() -> Iterator[None]:
    """No line of log for each account."""
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


@contextmanager
def _progress(total: int) -> Iterator[Callable[[int], None]]:
    Patience.not_needed()
    began = last = time.monotonic()
    terminal = sys.stderr.isatty()

    def show(done: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - began > _PATIENCE and now - last > (0.2 if terminal else _PATIENCE):
            last = now
            if terminal:
                click.echo(f"\r{done} of {total} accounts", err=True, nl=False)
            else:
                note(f"{done} of {total} accounts")

    yield show
    if terminal and last != began:
        click.echo("\r\033[K", err=True, nl=False)


def whom_options(function: F) -> F:
    """``--users``, ``--group`` and ``--all``."""
    function = click.option(
        "--users",
        type=click.Path(path_type=Path, exists=True, dir_okay=False, allow_dash=False),
        help="The accounts in this file, a name a line.",
    )(function)
    function = click.option("--group", metavar="NAME", help="The accounts in this directory group.")(function)
    function = click.option("--all", "everybody", is_flag=True, help="All accounts.  Default with --ldif.")(function)
    return ldif_option(function)


def whom(users: Path | None, group: str | None, everybody: bool, ldif: Path | None) -> Whom:
    """What the options mean.  Raises `click.UsageError` for none or several."""
    chosen = [users is not None, group is not None, everybody]
    if sum(chosen) > 1:
        raise click.UsageError("--users, --group and --all exclude each other")
    if not any(chosen) and ldif is None:
        raise click.UsageError("whose accounts? --users FILE, --group NAME or --all")
    return Whom(users, group)
