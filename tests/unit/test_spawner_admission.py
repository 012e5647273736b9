"""What the API server says to a new pod, and what becomes of it."""

import json
import logging
from typing import Any

import pytest
from jupyterhub.spawner import SpawnException
from kubernetes_asyncio.client.exceptions import ApiException
from kubernetes_asyncio.client.models import V1Pod

from .hubless import FakeCluster, notebook, refused, spawner
from .support import FakeDirectory, manifest

QUOTA = 'pods "jupyter-gstaff" is forbidden: exceeded quota: compute'


class AnsweringCluster(FakeCluster):
    """Answers the first pod with an HTTP status, and takes the next."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__()
        self.answer: ApiException | None = ApiException(status=status, reason="no")
        self.answer.body = json.dumps({"message": message}).encode()

    async def create_namespaced_pod(self, namespace: str, pod: V1Pod) -> None:
        if self.answer:
            answer, self.answer = self.answer, None
            raise answer
        await super().create_namespaced_pod(namespace, pod)


async def ready(directory: FakeDirectory, cluster: FakeCluster) -> tuple[Any, V1Pod]:
    """A spawner on *cluster*, and the pod that it would create."""
    some = spawner(directory)
    some.api = cluster
    await some.load_user_options()
    return some, await some.get_pod_manifest()


@pytest.mark.parametrize("status", [pytest.param(403, id="a quota"), pytest.param(422, id="not valid")])
async def test_a_pod_that_is_not_admitted_is_refused_until_it_is(directory: FakeDirectory, status: int) -> None:
    before = refused("cluster-refused")
    cluster = AnsweringCluster(status, QUOTA)
    some, pod = await ready(directory, cluster)
    with pytest.raises(SpawnException) as failure:
        await some._make_create_pod_request(pod, 3)
    assert failure.value.reason == "cluster-refused"
    assert "exceeded quota" in failure.value.log_message
    assert "does not admit" in failure.value.message
    assert "exceeded quota" not in failure.value.message
    assert refused("cluster-refused") == before + 1
    assert await some._make_create_pod_request(pod, 3)
    assert cluster.created == [pod]


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_an_api_server_that_is_busy_is_asked_again(directory: FakeDirectory, status: int) -> None:
    some, pod = await ready(directory, AnsweringCluster(status, "later"))
    assert not await some._make_create_pod_request(pod, 3)
    assert await some._make_create_pod_request(pod, 3)


async def test_an_old_pod_in_the_way_is_removed(directory: FakeDirectory) -> None:
    some, pod = await ready(directory, AnsweringCluster(409, "exists"))
    stopped: list[bool] = []

    async def stop(now: bool = False) -> None:
        stopped.append(now)

    some.stop = stop
    assert not await some._make_create_pod_request(pod, 3)
    assert stopped == [True]
    assert await some._make_create_pod_request(pod, 3)


async def test_no_token_reaches_the_log(directory: FakeDirectory, caplog: pytest.LogCaptureFixture) -> None:
    some, _ = await ready(directory, AnsweringCluster(403, QUOTA))
    some.api_token = "a-secret-token"
    pod = await some.get_pod_manifest()
    assert "a-secret-token" in json.dumps(notebook(manifest(pod)))
    with caplog.at_level(logging.DEBUG), pytest.raises(SpawnException):
        await some._make_create_pod_request(pod, 3)
    assert "a-secret-token" not in caplog.text


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        pytest.param("/home/g/gs/{username}", "/home/g/gs/gstaff", id="the user's name"),
        pytest.param("~/{username}", "/home/g/gs/gstaff/gstaff", id="below the home"),
    ],
)
async def test_notebook_dir_may_name_the_user(directory: FakeDirectory, written: str, meant: str) -> None:
    some = spawner(directory, notebook_dir=written)
    await some.load_user_options()
    assert some.plan.home.notebook_dir == meant


async def test_notebook_dir_may_name_nothing_else(directory: FakeDirectory) -> None:
    some = spawner(directory, notebook_dir="~/{course}")
    with pytest.raises(SpawnException) as failure:
        await some.load_user_options()
    assert failure.value.reason == "misconfigured"
    assert "'~/{course}'" in failure.value.log_message
    some.notebook_dir = "~/course"
    await some.load_user_options()
    assert some.plan.home.notebook_dir == "/home/g/gs/gstaff/course"
