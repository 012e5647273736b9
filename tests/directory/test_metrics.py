"""What ``/hub/metrics`` shows of the directory."""

import contextlib
from pathlib import Path

import pytest
from prometheus_client import REGISTRY, generate_latest

from ocfspawner.errors import LoginRefused, NoSuchAccount, Refusal

from .conftest import DirectoryAt
from .impostor import SIZE_LIMIT, Speaker
from .proxy import Proxy
from .slapd import Slapd


def seconds(port: int, operation: str, outcome: str) -> float:
    """How many times an operation of the server at *port* had an outcome."""
    labels = {"server": f"127.0.0.1:{port}", "operation": operation, "outcome": outcome}
    return REGISTRY.get_sample_value("ocfspawner_directory_seconds_count", labels) or 0.0


def cache(result: str) -> float:
    return REGISTRY.get_sample_value("ocfspawner_directory_cache_total", {"result": result}) or 0.0


async def test_look_ups_by_server_and_outcome(proxy: Proxy, directory_at: DirectoryAt) -> None:
    directory = directory_at(proxy.port, threads=1)
    await directory.lookup("guser")
    with pytest.raises(NoSuchAccount):
        await directory.lookup("nobody")
    proxy.drop()
    await directory.lookup("guser")
    outcomes = {"answered": 2, "no-such-account": 1, "lost": 1}
    assert {outcome: seconds(proxy.port, "lookup", outcome) for outcome in outcomes} == outcomes


async def test_an_error_has_its_reason(certificate: Path, directory_at: DirectoryAt) -> None:
    with Speaker(certificate, {"groups": SIZE_LIMIT}) as server, contextlib.suppress(Refusal):
        await directory_at(server.port).lookup("guser")
    assert seconds(server.port, "lookup", "directory-failed") == 1


async def test_log_ins_count_apart(proxy: Proxy, directory_at: DirectoryAt) -> None:
    directory = directory_at(proxy.port, threads=1)
    await directory.authenticate("guser", "guser-demo")
    with pytest.raises(LoginRefused):
        await directory.authenticate("guser", "wrong")
    assert seconds(proxy.port, "login", "answered") == 2, "a wrong password is an answer"
    assert seconds(proxy.port, "login-lookup", "answered") == 3
    assert seconds(proxy.port, "lookup", "answered") == 0


async def test_hits_and_misses(slapd: Slapd, directory_at: DirectoryAt) -> None:
    directory = directory_at(slapd.port, cache_ttl=60.0)
    before = {result: cache(result) for result in ("hit", "miss", "joined")}
    await directory.lookup("guser")
    await directory.lookup("guser")
    await directory.lookup("guser")
    assert {result: cache(result) - count for result, count in before.items()} == {"hit": 2, "miss": 1, "joined": 0}


async def test_no_name_of_a_person_is_shown(slapd: Slapd, directory_at: DirectoryAt) -> None:
    directory = directory_at(slapd.port)
    for name in ("guser", "unheard-of-name", 'evil"}\n'):
        with contextlib.suppress(NoSuchAccount):
            await directory.lookup(name)
        with contextlib.suppress(LoginRefused, NoSuchAccount):
            await directory.authenticate(name, "secret-password")
    shown = generate_latest().decode()
    assert not [word for word in ("guser", "unheard", "evil", "secret-password") if word in shown]
