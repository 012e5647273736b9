"""What was good once, for the time when the directory is away."""

import asyncio
import logging
import sqlite3
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from jupyterhub.spawner import SpawnException
from prometheus_client import REGISTRY

from ocfspawner.account import AccountRules
from ocfspawner.directory.client import Directory, Source
from ocfspawner.directory.schema import Schema
from ocfspawner.errors import DirectoryFailed, DirectoryUnreachable, EntryMalformed, LoginRefused, NoSuchAccount

from .conftest import DirectoryAt
from .impostor import SIZE_LIMIT, Speaker
from .proxy import Proxy
from .slapd import Entries


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "last-known-good.sqlite"


@pytest.fixture
def directory(proxy: Proxy, directory_at: DirectoryAt, file: Path) -> Directory:
    """A directory behind *proxy* that keeps what was good in *file*."""
    return directory_at(proxy.port, last_known_good_file=file, deadline=1.0)


def go_away(proxy: Proxy) -> None:
    proxy.refusing = True
    proxy.drop()


def come_back(proxy: Proxy) -> None:
    proxy.refusing = False


def uses() -> float:
    return REGISTRY.get_sample_value("ocfspawner_directory_last_known_good_uses_total") or 0.0


async def test_it_answers_while_the_directory_is_away_and_only_then(directory: Directory, proxy: Proxy) -> None:
    before = uses()
    fresh = await directory.lookup("guser")
    assert (fresh.source, uses()) == (Source.DIRECTORY, before)
    go_away(proxy)
    kept = await directory.lookup("guser")
    assert (kept.account, kept.source, kept.server) == (fresh.account, Source.LAST_KNOWN_GOOD, "")
    assert 0.9 < kept.age < 60
    assert uses() == before + 1
    with pytest.raises(DirectoryUnreachable):
        await directory.lookup("gstaff")
    come_back(proxy)
    assert (await directory.lookup("guser")).source is Source.DIRECTORY
    assert uses() == before + 1


async def test_it_outlives_the_hub(proxy: Proxy, directory_at: DirectoryAt, directory: Directory, file: Path) -> None:
    await directory.lookup("guser")
    directory.close()
    go_away(proxy)
    another_day = directory_at(proxy.port, last_known_good_file=file, deadline=1.0)
    assert (await another_day.lookup("guser")).source is Source.LAST_KNOWN_GOOD


async def test_without_a_file_nothing_is_kept(proxy: Proxy, directory_at: DirectoryAt) -> None:
    directory = directory_at(proxy.port, deadline=1.0)
    await directory.lookup("guser")
    go_away(proxy)
    with pytest.raises(DirectoryUnreachable):
        await directory.lookup("guser")


async def test_it_never_lets_anybody_log_in(directory: Directory, proxy: Proxy) -> None:
    assert await directory.authenticate("guser", "guser-demo")
    go_away(proxy)
    with pytest.raises(DirectoryUnreachable):
        await directory.authenticate("guser", "guser-demo")
    assert (await directory.lookup("guser")).source is Source.LAST_KNOWN_GOOD, "a log-in is a good answer, too"


async def test_a_wrong_password_says_nothing_of_the_account(directory: Directory, proxy: Proxy) -> None:
    await directory.lookup("guser")
    with pytest.raises(LoginRefused):
        await directory.authenticate("guser", "wrong")
    go_away(proxy)
    assert await directory.lookup("guser")


@pytest.mark.parametrize("path", ["lookup", "login"])
@pytest.mark.parametrize("change", ["removed", "disabled", "malformed"])
async def test_the_directory_s_word_ends_what_was_kept(
    directory: Directory, proxy: Proxy, entries: Entries, change: str, path: str
) -> None:
    dn = entries.person("leaver", userPassword="right")
    await directory.lookup("leaver")
    if change == "removed":
        entries.remove()
    elif change == "disabled":
        entries.change(dn, loginShell="/opt/share/utils/bin/sorried")
    else:
        entries.change(dn, uidNumber=0)
    with nullcontext() if change == "disabled" else pytest.raises((NoSuchAccount, EntryMalformed)):
        if path == "lookup":
            await directory.lookup("leaver")
        else:
            await directory.authenticate("leaver", "right")
    go_away(proxy)
    with pytest.raises(DirectoryUnreachable):
        await directory.lookup("leaver")


async def test_an_error_of_the_directory_is_not_its_absence(
    certificate: Path, directory_at: DirectoryAt, file: Path
) -> None:
    with Speaker(certificate) as server:
        directory = directory_at(server.port, last_known_good_file=file)
        await directory.lookup("guser")
        server.codes["groups"] = SIZE_LIMIT
        with pytest.raises(DirectoryFailed):
            await directory.lookup("guser")


@pytest.mark.parametrize(
    "rules",
    [
        pytest.param(AccountRules(uid_floor=40000), id="a floor above the uid"),
        pytest.param(AccountRules(denied_gids=frozenset({1000})), id="a gid that is denied"),
        pytest.param(AccountRules(home_prefixes=("/srv",)), id="homes elsewhere"),
    ],
)
async def test_the_rules_of_today_apply(
    proxy: Proxy, directory: Directory, directory_at: DirectoryAt, file: Path, rules: AccountRules
) -> None:
    await directory.lookup("guser")
    go_away(proxy)
    stricter = directory_at(proxy.port, last_known_good_file=file, deadline=1.0, schema=Schema(rules=rules))
    with pytest.raises(EntryMalformed):
        await stricter.lookup("guser")


async def test_who_is_disabled_by_the_rules_of_today_is_disabled(
    proxy: Proxy, directory: Directory, directory_at: DirectoryAt, file: Path
) -> None:
    await directory.lookup("guser")
    go_away(proxy)
    rules = AccountRules(disabled_groups=frozenset({"ocfhpc"}))
    stricter = directory_at(proxy.port, last_known_good_file=file, deadline=1.0, schema=Schema(rules=rules))
    assert (await stricter.lookup("guser")).account.disabled == "it is in group ocfhpc"


async def test_what_is_too_old_is_not_used(proxy: Proxy, directory_at: DirectoryAt, file: Path) -> None:
    directory = directory_at(proxy.port, last_known_good_file=file, last_known_good_age=2.0, deadline=0.8)
    await directory.lookup("guser")
    go_away(proxy)
    assert await directory.lookup("guser")
    await asyncio.sleep(2)
    with pytest.raises(DirectoryUnreachable):
        await directory.lookup("guser")


async def test_a_place_where_nothing_can_be_written_does_no_harm(
    proxy: Proxy, directory_at: DirectoryAt, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    directory = directory_at(proxy.port, last_known_good_file=tmp_path / "no such folder/file", deadline=1.0)
    assert (await directory.lookup("guser")).account.uid == 35712
    with pytest.raises(NoSuchAccount):
        await directory.lookup("nobody")
    go_away(proxy)
    with pytest.raises(DirectoryUnreachable):
        await directory.lookup("guser")
    assert "no such folder/file can't be used" in caplog.text


async def test_a_disk_that_hangs_does_not_hold_up_answers(
    proxy: Proxy, directory: Directory, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await directory.lookup("guser")
    with sqlite3.connect(file) as hanging:
        hanging.execute("BEGIN EXCLUSIVE")
        begin = time.monotonic()
        assert (await directory.lookup("guser")).source is Source.DIRECTORY
        go_away(proxy)
        with pytest.raises(DirectoryUnreachable):
            await directory.lookup("guser")
        assert time.monotonic() - begin < 1.0 + 0.4 + 0.4 + 0.5
        hanging.rollback()
    hanging.close()


async def test_the_person_and_the_log_are_told_how_old_it_is(
    proxy: Proxy, spawner_at: Callable[..., Any], file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spawner = spawner_at(proxy.port, deadline=1.0, last_known_good_file=str(file))
    await spawner.load_user_options()
    assert not any("away" in note for note in spawner._notes)
    with sqlite3.connect(file) as database:
        database.execute("UPDATE record SET seen = seen - 3 * 3600 - 60")
    database.close()
    go_away(proxy)
    with caplog.at_level(logging.WARNING):
        await spawner.load_user_options()
    assert "The user directory is away; your account is as it was 3 hours ago." in spawner._notes
    assert "guser: started by the last known good answer of 3 hours ago" in caplog.text
    come_back(proxy)
    await spawner.load_user_options()
    assert not any("away" in note for note in spawner._notes)


async def test_without_it_the_person_is_told_of_the_outage(proxy: Proxy, spawner_at: Callable[..., Any]) -> None:
    go_away(proxy)
    with pytest.raises(SpawnException) as refused:
        await spawner_at(proxy.port, deadline=1.0).load_user_options()
    assert "The user directory can't be reached" in str(refused.value.jupyterhub_message)
