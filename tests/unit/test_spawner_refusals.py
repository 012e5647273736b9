"""How a refusal reaches the Hub, the user, the log and the metrics."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from jupyterhub.spawner import SpawnException

from ocfspawner import OCFSpawner
from ocfspawner.errors import (
    DirectoryFailed,
    DirectoryUnreachable,
    DirectoryUntrusted,
    EntryMalformed,
    NoSuchAccount,
    Refusal,
)
from ocfspawner.home import ClaimHomes, NFSHomes

from .hubless import BASE, RUNNING, FakeCluster, decided, refused, spawner
from .support import FakeDirectory, account

SECRET = "ldap.example:636, cn=admin, /home/g/gs/gstaff"


async def caught(start: Callable[[], Any]) -> SpawnException:
    with pytest.raises(SpawnException) as failure:
        await start()
    return failure.value


@pytest.mark.parametrize(
    ("refusal", "reason", "status", "text"),
    [
        pytest.param(DirectoryUnreachable(SECRET), "directory-unreachable", 503, "can't be reached", id="unreachable"),
        pytest.param(DirectoryUntrusted(SECRET), "directory-untrusted", 503, "can't be reached", id="untrusted"),
        pytest.param(DirectoryFailed(SECRET), "directory-failed", 503, "can't be reached", id="failed"),
        pytest.param(NoSuchAccount("gstaff", SECRET), "no-such-account", 403, "no account named", id="no account"),
        pytest.param(EntryMalformed("gstaff", SECRET), "entry-malformed", 403, "not valid", id="malformed"),
    ],
)
async def test_the_directory_s_refusals(
    directory: FakeDirectory, refusal: Refusal, reason: str, status: int, text: str
) -> None:
    directory.failure, before = refusal, refused(reason)
    failure = await caught(spawner(directory).load_user_options)
    assert (failure.reason, failure.status_code) == (reason, status)
    assert text in failure.message
    assert SECRET in failure.log_message
    assert failure.jupyterhub_message == failure.message, "the progress bar shows it"
    assert SECRET not in failure.message + failure.message_html
    assert refused(reason) == before + 1
    directory.failure = None
    assert await decided(spawner(directory))


async def test_a_disabled_account(directory: FakeDirectory) -> None:
    failure = await caught(spawner(directory, username="ofc").load_user_options)
    assert (failure.reason, failure.status_code) == ("account-disabled", 403)
    assert "“ofc” is disabled" in failure.message
    assert "sorry" in failure.log_message
    assert "sorry" not in failure.message
    directory.accounts["ofc"] = account(username="ofc")
    assert await decided(spawner(directory, username="ofc"))


async def test_the_hubs_name_is_looked_up_as_it_is(directory: FakeDirectory) -> None:
    for name in ("GSTAFF", "gstaff ", "ｇstaff", "*"):
        assert (await caught(spawner(directory, username=name).load_user_options)).reason == "no-such-account"
    assert await decided(spawner(directory, username="gstaff"))


async def test_a_policy_that_cannot_be_read(directory: FakeDirectory, tmp_path: Path) -> None:
    policy = tmp_path / "resources.yaml"
    policy.write_text("rules: [{name: x, limits: {}}]")
    failure = await caught(spawner(directory, policy_file=str(policy)).load_user_options)
    assert (failure.reason, failure.status_code) == ("policy-invalid", 500)
    assert "resources.yaml:1: rules.0.limits" in failure.log_message
    assert "resources" not in failure.message
    policy.write_text("rules: []")
    assert await decided(spawner(directory, policy_file=str(policy)))


async def test_a_home_that_lies_elsewhere(directory: FakeDirectory) -> None:
    failure = await caught(spawner(directory, homes=ClaimHomes(root="/srv")).load_user_options)
    assert (failure.reason, failure.status_code) == ("home-unusable", 403)
    assert "/srv" in failure.log_message
    assert "/srv" not in failure.message
    assert await decided(spawner(directory, homes=ClaimHomes(root="/home")))


async def test_homes_that_are_no_homes(directory: FakeDirectory) -> None:
    failure = await caught(spawner(directory, homes="homes").load_user_options)
    assert failure.status_code == 500
    assert "expected ClaimHomes(…) or NFSHomes(…)" in failure.log_message
    assert await decided(spawner(directory, homes=ClaimHomes("homes")))


def looked(exit_code: int) -> dict[str, Any]:
    """The PodStatus after a look at the home that ended so."""
    state = {"terminated": {"exitCode": exit_code}}
    return {"phase": "Pending", "initContainerStatuses": [{"name": "home-check", "state": state}]}


@pytest.mark.parametrize(
    ("exit_code", "reason"),
    [
        pytest.param(40, "home-missing", id="missing"),
        pytest.param(43, "home-not-owned", id="somebody else's"),
        pytest.param(42, "home-unusable", id="a symbolic link"),
        pytest.param(127, "home-unusable", id="an image without a shell"),
    ],
)
async def test_a_look_at_the_home_that_fails_ends_the_start(
    directory: FakeDirectory, cluster: FakeCluster, exit_code: int, reason: str
) -> None:
    cluster.status, before = looked(exit_code), refused(reason)
    failure = await caught(spawner(directory).start)
    assert (failure.reason, failure.status_code) == (reason, 403)
    assert "/home/g/gs/gstaff" in failure.log_message
    assert "/home" not in failure.message
    assert refused(reason) == before + 1
    cluster.status = {**RUNNING, "initContainerStatuses": looked(0)["initContainerStatuses"]}
    assert await spawner(directory).start() == "http://10.1.2.3:8888"


NOT_THERE = (
    'failed for volume "home" : mount.nfs: mounting x failed, reason given by server: No such file or directory'
)


def mount_failed(pod_uid: str) -> dict[str, Any]:
    """An Event of gstaff's pod, or of one before it that had the same name."""
    return {
        "metadata": {"uid": "e1"},
        "involvedObject": {"name": "jupyter-gstaff", "uid": pod_uid},
        "reason": "FailedMount",
        "message": NOT_THERE,
        "lastTimestamp": "2026-01-01T00:00:00Z",
    }


async def test_an_inline_nfs_home_that_can_not_be_mounted_ends_the_start(
    directory: FakeDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = SimpleNamespace(events=[mount_failed("1")])
    monkeypatch.setitem(OCFSpawner.reflectors, ("events", BASE["namespace"]), seen)
    some = spawner(directory, homes=NFSHomes(server="files"), events_enabled=True)
    await some.load_user_options()
    pod = {"metadata": {"uid": "1"}, "status": {"phase": "Pending"}}
    with pytest.raises(SpawnException) as failure:
        some.is_pod_running(pod)
    assert (failure.value.reason, failure.value.status_code) == ("home-missing", 403)
    assert not some.is_pod_running({**pod, "metadata": {"uid": "2"}}), "the event is of an earlier pod"
    some.events_enabled = False
    assert not some.is_pod_running(pod), "without events it waits for the start_timeout"


async def test_what_is_refused_never_reaches_the_cluster(directory: FakeDirectory, cluster: FakeCluster) -> None:
    directory.failure = DirectoryUnreachable(SECRET)
    await caught(spawner(directory).start)
    assert cluster.created == []


async def test_a_pod_that_is_gone_is_not_running(directory: FakeDirectory) -> None:
    some = spawner(directory)
    await some.load_user_options()
    assert not some.is_pod_running(None)


async def test_a_hub_that_was_restarted_knows_a_running_pod(directory: FakeDirectory) -> None:
    some = spawner(directory)
    assert some.is_pod_running({"metadata": {}, "status": RUNNING})
    assert not some.is_pod_running({"metadata": {}, "status": looked(40)})
