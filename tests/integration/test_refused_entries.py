"""People whose entry in the directory can't be used: refused at the log-in and at the start, until it is repaired."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from .conftest import Newcomers
from .support import cluster, directory
from .support.directory import Account
from .support.hub import Api
from .support.people import Person
from .support.refusals import counted, log_in_refused, start_refused

TEXT = "is incomplete or not valid, so no server can be started."


@dataclass(frozen=True)
class Defect:
    """Something wrong with an entry, and how it is put right."""

    name: str
    make: Callable[[Account], None]
    repair: Callable[[Account], None]


def _attribute(name: str, attribute: str, wrong: str, right: Callable[[Account], object]) -> Defect:
    return Defect(
        name,
        lambda account: directory.replace(account.dn, attribute, wrong),
        lambda account: directory.replace(account.dn, attribute, str(right(account))),
    )


def _uid(account: Account) -> int:
    return account.uid


def _home(account: Account) -> str:
    return account.home


DEFECTS = [
    _attribute("uid 0", "uidNumber", "0", _uid),
    _attribute("uid 65534, which is nobody's", "uidNumber", "65534", _uid),
    _attribute("uid 2147483648, which the API server refuses", "uidNumber", "2147483648", _uid),
    _attribute("home with ..", "homeDirectory", "/home/../etc", _home),
    _attribute(
        "home with {}, which KubeSpawner would fill in", "homeDirectory", "/home/{}/{unescaped_username}", _home
    ),
    Defect(
        "no home at all",
        lambda account: directory.exchange_without(account, "homeDirectory"),
        directory.exchange,
    ),
    Defect(
        "a group with a number too high",
        lambda account: directory.add_group("toohigh", 2**31, [account.name]),
        lambda account: directory.remove_group("toohigh"),
    ),
]


@pytest.mark.parametrize("defect", DEFECTS, ids=[defect.name for defect in DEFECTS])
def test_an_entry_that_turns_bad_is_refused_until_it_is_repaired(
    defect: Defect, url: str, api: Api, newcomers: Newcomers
) -> None:
    account = newcomers("oddentry")
    person = Person.logged_in(url, account)
    defect.make(account)
    try:
        with counted(api, "login", "entry-malformed"):
            refusal = log_in_refused(url, account.name, account.password)
        assert refusal.status == 403
        assert TEXT in refusal.text
        with counted(api, "spawn", "entry-malformed"):
            refusal = start_refused(person.browser, account.name)
        assert refusal.status == 403
        assert f"The directory entry of “{account.name}” {TEXT}" in refusal.text
        assert refusal.seconds < 10
    finally:
        defect.repair(account)
    api.started(account.name)
    assert cluster.in_pod(account.name, "id", "--user").strip() == str(account.uid)
