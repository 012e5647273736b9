"""The look at the account of a running server: it stops those whose account is gone, and nobody else."""

from typing import Any

import pytest
from kubespawner import KubeSpawner
from prometheus_client import REGISTRY

from ocfspawner import spawner as spawner_module
from ocfspawner.directory.client import Answer, Source
from ocfspawner.errors import DirectoryFailed, DirectoryUnreachable, EntryMalformed, NoSuchAccount, Refusal

from .hubless import spawner
from .support import GSTAFF, Clock, FakeDirectory, account

INTERVAL = 900.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock(1000.0)
    monkeypatch.setattr(spawner_module, "monotonic", clock)
    return clock


@pytest.fixture(autouse=True)
def running(monkeypatch: pytest.MonkeyPatch) -> list[int | None]:
    """What KubeSpawner says of the pod, at each poll the last one."""
    states: list[int | None] = [None]

    async def poll(self: Any) -> int | None:
        return states[-1]

    monkeypatch.setattr(KubeSpawner, "poll", poll)
    return states


async def started(directory: FakeDirectory, **settings: Any) -> Any:
    """gstaff's server, which just started."""
    some = spawner(directory, account_check_interval=INTERVAL, kind=spawner_module.OCFSpawner)
    some.set_trait("account_check_interval", settings.get("interval", INTERVAL))
    await some.load_user_options()
    return some


def stopped(reason: str) -> float:
    labels = {"path": "running", "reason": reason}
    return REGISTRY.get_sample_value("ocfspawner_refusals_total", labels) or 0.0


async def test_a_server_whose_account_is_gone_is_stopped_and_not_before_its_time(
    directory: FakeDirectory, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    some, before = await started(directory), stopped("no-such-account")
    directory.accounts.clear()
    clock.now += INTERVAL - 1
    assert await some.poll() is None
    clock.now += 1
    assert await some.poll() == 1
    assert stopped("no-such-account") == before + 1
    assert "no account “gstaff”" in caplog.text
    assert await some.poll() is None, "the Hub asks once more before it stops the pod, and must hear that it runs"


async def test_a_server_whose_account_is_disabled_is_stopped(directory: FakeDirectory, clock: Clock) -> None:
    some, before = await started(directory), stopped("account-disabled")
    directory.accounts["gstaff"] = account(disabled="it is in group sorry")
    clock.now += INTERVAL
    assert await some.poll() == 1
    assert stopped("account-disabled") == before + 1


@pytest.mark.parametrize(
    "failure",
    [
        pytest.param(DirectoryUnreachable("down"), id="away"),
        pytest.param(DirectoryFailed("sizeLimitExceeded"), id="failing"),
        pytest.param(EntryMalformed("gstaff", "uidNumber"), id="malformed"),
    ],
)
async def test_a_server_goes_on_otherwise(
    directory: FakeDirectory, clock: Clock, failure: Refusal, caplog: pytest.LogCaptureFixture
) -> None:
    some = await started(directory)
    directory.failure = failure
    for _ in range(3):
        clock.now += INTERVAL
        assert await some.poll() is None
    assert "goes on: " in caplog.text
    directory.failure = NoSuchAccount("gstaff")
    clock.now += INTERVAL
    assert await some.poll() == 1


@pytest.mark.parametrize("disabled", ["", "it is in group sorry"])
async def test_what_was_kept_for_an_outage_stops_nobody_and_is_no_start(
    directory: FakeDirectory, clock: Clock, monkeypatch: pytest.MonkeyPatch, disabled: str
) -> None:
    some = await started(directory)
    notes = some._notes

    async def lookup(username: str) -> Answer:
        return Answer(account(disabled=disabled), Source.LAST_KNOWN_GOOD, 3600.0)

    monkeypatch.setattr(directory, "lookup", lookup)
    clock.now += INTERVAL
    assert await some.poll() is None
    assert some._notes == notes


async def test_an_account_in_order_is_looked_at_once_in_an_interval(
    directory: FakeDirectory, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    some, asked = await started(directory), []

    async def lookup(username: str) -> Answer:
        asked.append(clock.now)
        return Answer(GSTAFF, Source.DIRECTORY, 0.0)

    monkeypatch.setattr(directory, "lookup", lookup)
    begin = clock.now
    for _ in range(40):
        clock.now += INTERVAL / 10
        assert await some.poll() is None
    assert asked == [pytest.approx(begin + INTERVAL * n) for n in (1, 2, 3, 4)]


async def test_a_pod_that_has_ended_is_reported_as_it_is(
    directory: FakeDirectory, clock: Clock, running: list[int | None]
) -> None:
    some = await started(directory)
    directory.accounts.clear()
    running.append(137)
    clock.now += INTERVAL
    assert await some.poll() == 137


async def test_no_look_where_none_is_wanted(directory: FakeDirectory, clock: Clock) -> None:
    some = await started(directory, interval=0)
    directory.accounts.clear()
    clock.now += 100 * INTERVAL
    assert await some.poll() is None


async def test_without_a_directory_nothing_is_asked(clock: Clock) -> None:
    some = spawner(None)
    clock.now += 100 * INTERVAL
    assert await some.poll() is None


async def test_after_a_restart_of_the_hub_the_first_looks_are_spread(directory: FakeDirectory, clock: Clock) -> None:
    """A Hub that has restarted polls all servers at once, and takes one that does not run for one to forget."""
    directory.accounts.clear()
    begin, due = clock.now, []
    for _ in range(40):
        clock.now = begin
        some = spawner(directory)
        assert await some.poll() is None
        while await some.poll() is None:
            clock.now += 10
        due.append(clock.now - begin)
    assert max(due) <= INTERVAL + 10
    assert len(set(due)) > 20
