"""Everything that is added to a pod."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocfspawner.account import Group
from ocfspawner.home import ClaimHomes, HomeVolume, NFSHomes
from ocfspawner.plan import (
    GROUP_ANNOTATION,
    PASSWD_ANNOTATION,
    RESOURCES_ANNOTATION,
    ServerPlan,
    plan_server,
)
from ocfspawner.quantity import Bytes
from ocfspawner.resources import MEMORY_LIMIT, Decided, Resources

from .support import account, plan

HOME = "/home/g/gs/gstaff"
KINDS = [pytest.param(ClaimHomes(), id="claim"), pytest.param(NFSHomes(), id="nfs")]


def lines(plan: ServerPlan, annotation: str) -> list[list[str]]:
    text = plan.annotations[annotation]
    assert text.endswith("\n")
    return [line.split(":") for line in text.splitlines()]


@pytest.mark.parametrize("homes", KINDS)
def test_the_environment_names_the_person_and_the_home(homes: HomeVolume) -> None:
    assert plan(homes, notebook_dir="~/notebooks").environment == {
        "HOME": HOME,
        "USER": "gstaff",
        "LOGNAME": "gstaff",
        "SHELL": "/bin/bash",
        "XDG_RUNTIME_DIR": "/run/user/12903",
        "JUPYTER_RUNTIME_DIR": "/run/user/12903/jupyter",
        "JUPYTERHUB_ROOT_DIR": f"{HOME}/notebooks",
    }


@pytest.mark.parametrize(
    ("own", "shell"),
    [
        pytest.param("/bin/sh", "/bin/sh", id="their own, when the image has it"),
        pytest.param("/bin/zsh", "/bin/bash", id="the preferred one, when it has not"),
        pytest.param("", "/bin/bash", id="the preferred one, when they have none"),
    ],
)
def test_the_shell_is_one_that_the_image_has(own: str, shell: str) -> None:
    some = plan(shell=own)
    assert some.environment["SHELL"] == shell
    assert lines(some, PASSWD_ANNOTATION)[1][6] == shell


def test_passwd_says_who_the_person_is() -> None:
    _, person, _ = lines(plan(), PASSWD_ANNOTATION)
    assert person == ["gstaff", "x", "12903", "1000", "", HOME, "/bin/bash"]


def test_group_says_which_groups_the_person_is_in() -> None:
    assert lines(plan(), GROUP_ANNOTATION) == [
        ["root", "x", "0", ""],
        ["ocf", "x", "1000", "gstaff"],
        ["ocfstaff", "x", "1002", "gstaff"],
        ["nogroup", "x", "65534", ""],
    ]


def test_each_resource_says_where_it_comes_from() -> None:
    resources = Resources({MEMORY_LIMIT: Decided(Bytes(2**31), "resources.yaml:3 rule “staff”")})
    home = ClaimHomes().home_of(account(), "~")
    annotations = plan_server(account(), home, resources, ["/bin/sh"], "check:1").annotations
    assert annotations[RESOURCES_ANNOTATION] == "memory limit 2Gi: resources.yaml:3 rule “staff”"


@pytest.mark.parametrize("homes", KINDS)
def test_the_pod_runs_as_the_person_and_as_nobody_else(homes: HomeVolume) -> None:
    pod, container = plan(homes).pod_security_context, plan(homes).container_security_context
    assert pod == {
        "runAsUser": 12903,
        "runAsGroup": 1000,
        "runAsNonRoot": True,
        "supplementalGroups": [1002],
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert container == {
        "runAsUser": 12903,
        "runAsGroup": 1000,
        "runAsNonRoot": True,
        "privileged": False,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def test_no_group_is_given_the_share() -> None:
    assert "fsGroup" not in plan().pod_security_context


@pytest.mark.parametrize("homes", KINDS)
def test_each_mount_has_its_volume_and_each_volume_its_mount(homes: HomeVolume) -> None:
    some = plan(homes)
    assert {mount["name"] for mount in some.mounts} == {volume["name"] for volume in some.volumes}
    paths = [mount["mountPath"] for mount in some.mounts]
    assert len(paths) == len(set(paths))


def test_a_claim_is_mounted_by_sub_path_and_an_nfs_volume_whole() -> None:
    claimed, exported = plan(ClaimHomes()).mounts[0], plan(NFSHomes()).mounts[0]
    assert claimed == {"name": "home", "mountPath": HOME, "subPath": "g/gs/gstaff"}
    assert exported == {"name": "home", "mountPath": HOME}


def test_names_are_mounted_read_only_over_the_image_s() -> None:
    assert [mount["mountPath"] for mount in plan().mounts if mount.get("readOnly")] == ["/etc/passwd", "/etc/group"]


NAMES = st.text("az09._-", max_size=8).map("n".__add__)
GIDS = st.integers(1000, 2**31 - 1)
GROUPS = st.lists(st.builds(Group, NAMES, GIDS), min_size=1, max_size=5).map(tuple)


@given(NAMES, GIDS, GROUPS)
def test_each_group_is_one_line_and_each_line_is_whole(username: str, uid: int, groups: tuple[Group, ...]) -> None:
    some = plan(username=username, uid=uid, gid=groups[0].gid, groups=groups)
    assert [len(line) for line in lines(some, PASSWD_ANNOTATION)] == [7, 7, 7]
    assert lines(some, GROUP_ANNOTATION)[1:-1] == [[group.name, "x", str(group.gid), username] for group in groups]


@given(NAMES, GROUPS)
def test_the_same_plan_twice_is_the_same_plan(username: str, groups: tuple[Group, ...]) -> None:
    changes: dict[str, Any] = {"username": username, "groups": groups, "gid": groups[0].gid}
    one, other = plan(**changes), plan(**changes)
    assert one == other
    assert (one.volumes, one.mounts, one.annotations) == (other.volumes, other.mounts, other.annotations)


@given(NAMES)
def test_kubernetes_finds_nothing_to_expand(username: str) -> None:
    assert not any("$" in value for value in plan(username=username).environment.values())
