"""Which server is next, against a simple model."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocfspawner.directory.servers import Servers
from ocfspawner.directory.settings import ServerAddress

from .support import Clock

A, B, C = ADDRESSES = [ServerAddress(f"{name}.example", 636) for name in "abc"]
PAUSE = 10


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def servers(clock: Clock) -> Servers:
    return Servers(ADDRESSES, PAUSE, clock)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["failed", "answered"]), st.sampled_from(ADDRESSES)),
        st.tuples(st.just("wait"), st.integers(1, 12)),
        st.tuples(st.just("ask"), st.none()),
    ),
    max_size=40,
)


@given(STEPS)
def test_those_worth_a_try_come_first_in_the_order_configured(steps: list[tuple[str, object]]) -> None:
    clock = Clock()
    servers = Servers(ADDRESSES, PAUSE, clock)
    failed: dict[ServerAddress, float] = {}
    for step, what in steps:
        if isinstance(what, int):
            clock.now += what
        elif isinstance(what, ServerAddress):
            getattr(servers, step)(*((what, "why") if step == "failed" else (what,)))
            if step == "failed":
                failed[what] = clock.now
            else:
                failed.pop(what, None)
        else:
            resting = {address for address, at in failed.items() if clock.now < at + PAUSE}
            well = [address for address in ADDRESSES if address not in resting]
            for address in ADDRESSES:
                assert servers.is_preferred(address) is (not well or address == well[0])
            assert servers.in_order() == [*well, *(address for address in ADDRESSES if address in resting)]
            # Those that were given out to be tried rest for the others.
            failed = {address: at if address in resting else clock.now for address, at in failed.items()}


def test_a_server_that_failed_is_last_until_its_pause_is_over(servers: Servers, clock: Clock) -> None:
    servers.failed(A, "down")
    assert servers.in_order() == [B, C, A]
    clock.now += PAUSE - 1
    assert servers.in_order() == [B, C, A]
    clock.now += 1
    assert servers.in_order() == [A, B, C]


def test_one_alone_tries_a_server_whose_pause_is_over(servers: Servers, clock: Clock) -> None:
    servers.failed(A, "down")
    clock.now += PAUSE
    assert not servers.is_preferred(B)
    with ThreadPoolExecutor(8) as threads:
        orders = list(threads.map(lambda _: servers.in_order(), range(50)))
    assert [order[0] for order in orders].count(A) == 1
    assert servers.is_preferred(B), "whoever is with B stays there while A is tried"


def test_all_come_back_to_a_server_that_answers(servers: Servers) -> None:
    servers.failed(A, "down")
    assert servers.is_preferred(B)
    servers.answered(A)
    assert not servers.is_preferred(B)
    assert servers.in_order() == [A, B, C]


def test_when_all_failed_all_are_tried_in_their_order(servers: Servers) -> None:
    for address in ADDRESSES:
        servers.failed(address, "down")
    assert servers.in_order() == [A, B, C]
    assert servers.is_preferred(C), "there is nothing better to go to"


def test_a_failure_is_said_once(servers: Servers, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(3):
        servers.failed(A, "connection refused")
    servers.answered(A)
    servers.answered(A)
    assert [record.getMessage() for record in caplog.records] == [
        "Directory server a.example:636 failed, and is passed over for 10 s: connection refused",
        "Directory server a.example:636 answers again",
    ]
