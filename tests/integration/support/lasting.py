"""What outlives a restart of the parts around it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import requests

from . import cluster
from .hub import Api
from .notebook import Kernel
from .people import Person
from .waiting import wait_for

SECONDS_TO_ROUTE = 60
"""Until a proxy that lost its routes by a restart has them again."""


@contextmanager
def same_process(kernel: Kernel, person: Person) -> Iterator[None]:
    """The kernel is the same process at the end, with what it knew, in the same pod."""
    look = "import os; print(os.getpid(), kept)"
    pod, before = cluster.user_pod(person.name)["metadata"]["uid"], kernel.run(look)
    yield
    assert kernel.run(look) == before
    assert cluster.user_pod(person.name)["metadata"]["uid"] == pod


def routed(api: Api, person: Person) -> None:
    """The way through the proxy to the Hub and to the person's server is there again."""
    server = person.server()
    wait_for("the Hub to answer", lambda: _answers(lambda: api.call("GET", "/user")))
    way = f"the route to {person.name}"
    wait_for(way, lambda: _answers(lambda: server.call("GET", "/api/status")), timeout=SECONDS_TO_ROUTE)


def _answers(ask: Callable[[], requests.Response]) -> bool:
    """A Service leads to a new pod somewhat later than that is ready."""
    try:
        return ask().ok
    except requests.ConnectionError:
        return False
