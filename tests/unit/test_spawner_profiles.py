"""What a profile or a user option can change, and what it can't."""

from typing import Any

import pytest
from jupyterhub.spawner import SpawnException

from .hubless import decided, environment, notebook, refused, spawner
from .support import FakeDirectory, plan

ROOT = {"name": "x", "image": "x", "securityContext": {"runAsUser": 0, "privileged": True}}
MOUNT = [{"name": "home", "mountPath": "/x"}]


def profile(**override: Any) -> dict[str, Any]:
    return {"profile_list": [{"display_name": "Default"}, {"display_name": "P", "kubespawner_override": override}]}


async def chosen(directory: FakeDirectory, **override: Any) -> dict[str, Any]:
    """The manifest for somebody who chose a profile that overrides KubeSpawner so."""
    return await decided(spawner(directory, {"profile": "p"}, **profile(**override)))


async def test_a_profile_can_change_image_and_resources(directory: FakeDirectory) -> None:
    pod = await chosen(directory, image="large:2", mem_limit="8G", environment={"A": "b"}, node_selector={"c": "d"})
    assert notebook(pod)["image"] == "large:2"
    assert notebook(pod)["resources"]["limits"] == {"memory": "8Gi"}
    assert (environment(pod)["MEM_LIMIT"], environment(pod)["A"]) == (str(2**33), "b")
    assert pod["spec"]["nodeSelector"] == {"c": "d"}


async def test_a_profile_s_image_never_looks_at_the_homes(directory: FakeDirectory) -> None:
    assert (await chosen(directory, image="theirs:1"))["spec"]["initContainers"][0]["image"] == "image:1"
    configured = spawner(directory, home_check_image="check:1")
    assert (await decided(configured))["spec"]["initContainers"][0]["image"] == "check:1"


@pytest.mark.parametrize(
    "override",
    [
        pytest.param({"working_dir": "/", "environment": {"HOME": "/", "USER": "root"}}, id="another home"),
        pytest.param({"extra_annotations": {"ocfspawner.ocf.io/passwd": "root:x:0:0::/:/bin/sh"}}, id="passwd"),
    ],
)
async def test_a_profile_s_names_are_overridden(directory: FakeDirectory, override: dict[str, Any]) -> None:
    found, default = await chosen(directory, **override), await decided(spawner(directory))
    assert found["spec"]["securityContext"] == plan().pod_security_context
    assert notebook(found)["securityContext"] == plan().container_security_context
    assert found["spec"]["automountServiceAccountToken"] is False
    assert notebook(found)["workingDir"] == environment(found)["HOME"] == "/home/g/gs/gstaff"
    assert environment(found)["USER"] == "gstaff"
    assert found["metadata"]["annotations"] == default["metadata"]["annotations"]


@pytest.mark.parametrize(
    "override",
    [
        pytest.param({"volumes": [{"name": "x", "persistentVolumeClaim": {"claimName": "homes"}}]}, id="the claim"),
        pytest.param({"volumes": [{"name": "home", "emptyDir": {}}]}, id="a volume in place of the home"),
        pytest.param({"volume_mounts": MOUNT}, id="a second mount of the home"),
        pytest.param(
            {"init_containers": [{"name": "x", "image": "x", "volumeMounts": MOUNT}]}, id="an init container"
        ),
        pytest.param({"extra_containers": [{"name": "x", "image": "x", "volumeMounts": MOUNT}]}, id="a container"),
        pytest.param({"cmd": None}, id="no command to start as the person"),
        pytest.param({"uid": 0}, id="root"),
        pytest.param({"uid": 1000}, id="somebody else"),
        pytest.param({"gid": 0}, id="gid"),
        pytest.param({"supplemental_gids": [1002, 27]}, id="groups"),
        pytest.param({"fs_gid": 1000}, id="fsGroup"),
        pytest.param({"privileged": True}, id="privileged"),
        pytest.param({"allow_privilege_escalation": True}, id="privilege escalation"),
        pytest.param({"container_security_context": {"capabilities": {"add": ["SYS_ADMIN"]}}}, id="capabilities"),
        pytest.param({"pod_security_context": {"runAsUser": 0}}, id="the pod's context"),
        pytest.param({"extra_pod_config": {"securityContext": {"runAsUser": 0}}}, id="extra_pod_config"),
        pytest.param({"extra_container_config": {"securityContext": {"runAsUser": 0}}}, id="extra_container_config"),
        pytest.param({"init_containers": [ROOT]}, id="an init container as root"),
        pytest.param({"extra_containers": [ROOT]}, id="a container as root"),
        pytest.param({"automount_service_account_token": True}, id="a token"),
    ],
)
async def test_a_profile_s_way_to_homes_or_rights_is_refused(
    directory: FakeDirectory, override: dict[str, Any]
) -> None:
    before = refused("pod-refused")
    with pytest.raises(SpawnException) as caught:
        await chosen(directory, **override)
    assert (caught.value.reason, caught.value.status_code) == ("pod-refused", 500)
    assert "rights that no server here may have" in caught.value.message
    assert refused("pod-refused") == before + 1
    assert await decided(spawner(directory, {"profile": "default"}, **profile(**override)))


async def test_a_profile_may_say_what_is_so_anyway(directory: FakeDirectory) -> None:
    same = {"uid": 12903, "gid": 1000, "supplemental_gids": [1002], "privileged": False}
    assert await chosen(directory, **same) == await chosen(directory)


async def test_a_profile_s_other_containers_run_as_the_person(directory: FakeDirectory) -> None:
    other = {"name": "x", "image": "x", "securityContext": {"runAsNonRoot": True}}
    spec = (await chosen(directory, init_containers=[other], extra_containers=[other]))["spec"]
    contexts = [container["securityContext"] for container in spec["initContainers"] + spec["containers"]]
    assert contexts == [plan().container_security_context] * 4


OPTIONS: dict[str, Any] = {
    "profile_list": [
        {
            "display_name": "P",
            "profile_options": {
                "size": {
                    "display_name": "Size",
                    "choices": {"large": {"display_name": "L", "kubespawner_override": {"mem_limit": "8G"}}},
                    "unlisted_choice": {
                        "enabled": True,
                        "display_name": "Other",
                        "validation_regex": "^[0-9]",
                        "kubespawner_override": {"mem_limit": "{value}"},
                    },
                },
                "image": {
                    "display_name": "Image",
                    "choices": {"one": {"display_name": "1", "kubespawner_override": {"image": "one:1"}}},
                },
            },
        }
    ]
}


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"profile": "other"}, id="a profile that is not there"),
        pytest.param({"profile": {"a": 1}}, id="a profile that is no text"),
        pytest.param({"profile": "p", "size": "huge"}, id="a choice that is not there"),
        pytest.param({"profile": "p", "size": ["large"]}, id="a list of choices"),
        pytest.param({"profile": "p", "size--unlisted-choice": "lots"}, id="a value that does not match"),
        pytest.param({"profile": "p", "size--unlisted-choice": "5 apples"}, id="a value that the trait refuses"),
        pytest.param({"profile": "p", "size--unlisted-choice": 5}, id="a number where text is due"),
        pytest.param({"profile": "p", "image--unlisted-choice": "my:1"}, id="a value where none is offered"),
    ],
)
async def test_options_that_are_not_offered_are_refused(directory: FakeDirectory, options: dict[str, Any]) -> None:
    before = refused("options-refused")
    with pytest.raises(SpawnException) as caught:
        await decided(spawner(directory, options, **OPTIONS))
    assert (caught.value.reason, caught.value.status_code) == ("options-refused", 400)
    assert refused("options-refused") == before + 1
    assert await decided(spawner(directory, {"profile": "p", "size": "large"}, **OPTIONS))


async def test_an_option_cannot_forge_a_line_of_the_log(directory: FakeDirectory) -> None:
    with pytest.raises(SpawnException) as caught:
        await decided(spawner(directory, {"profile": "a\nCRITICAL: all is lost"}, **OPTIONS))
    assert "all is lost" in caught.value.log_message
    assert "\n" not in caught.value.log_message
    assert "all is lost" not in caught.value.message


@pytest.mark.parametrize("options", [{"uid": 0}, {"kubespawner_override": {"uid": 0}}, {"homes": "x", "image": "x:1"}])
async def test_options_that_nobody_asked_for_change_nothing(directory: FakeDirectory, options: dict[str, Any]) -> None:
    assert await decided(spawner(directory, options)) == await decided(spawner(directory))


# -- one object, two starts ------------------------------------------------------------------


async def test_a_second_start_is_like_the_first(directory: FakeDirectory) -> None:
    volume = {"name": "data", "persistentVolumeClaim": {"claimName": "data"}}
    some = spawner(
        directory, mem_limit="1G", environment={"A": "b"}, volumes=[volume], extra_resource_limits={"a/b": "1"}
    )
    assert await decided(some) == await decided(some) == await decided(some)


async def test_after_a_large_profile_the_default_is_back(directory: FakeDirectory) -> None:
    large = profile(
        image="large:1",
        mem_limit="8G",
        cpu_guarantee=4,
        environment={"LARGE": "1"},
        extra_resource_limits={"a/b": "1"},
    )
    config = {"mem_limit": "1G", "environment": {"A": "b"}, **large}
    some = spawner(directory, {"profile": "p"}, **config)
    assert notebook(await decided(some))["image"] == "large:1"
    some.user_options = {"profile": "default"}
    assert await decided(some) == await decided(spawner(directory, {"profile": "default"}, **config))


async def test_a_refused_start_leaves_nothing_of_the_one_before(directory: FakeDirectory) -> None:
    some = spawner(directory)
    await decided(some)
    del directory.accounts["gstaff"]
    with pytest.raises(SpawnException):
        await some.load_user_options()
    assert "HOME" not in some.get_env()
