"""What we take for granted of KubeSpawner and JupyterHub: a new version of theirs fails here first."""

from typing import Any

import pytest
from jupyterhub.spawner import SpawnException
from kubespawner import KubeSpawner
from tornado.web import HTTPError

from .hubless import FakeCluster, decided, notebook, spawner


def upstream(**config: Any) -> Any:
    options = {"profile": "p"} if "profile_list" in config else {}
    return spawner(None, options, kind=KubeSpawner, **config)


async def test_the_server_s_container_is_called_notebook_and_its_command_is_args() -> None:
    pod = await decided(upstream(cmd=["server"], args=["--flag"]))
    assert notebook(pod)["args"] == ["server", "--flag"]
    assert "command" not in notebook(pod), "the image's ENTRYPOINT stays"


async def test_configuration_stays_dictionaries_inside_the_models() -> None:
    """Why `ocfspawner.pod` looks at both."""
    some = upstream(
        volumes=[{"name": "x", "persistentVolumeClaim": {"claimName": "y"}}],
        extra_pod_config={"initContainers": [{"name": "z"}]},
    )
    await some.load_user_options()
    spec = (await some.get_pod_manifest()).spec
    assert spec.volumes[0].persistent_volume_claim == {"claimName": "y"}
    assert spec.init_containers == [{"name": "z"}]


async def test_a_brace_in_a_volume_is_evaluated() -> None:
    """Why no text of the directory goes through KubeSpawner's traits."""
    some = upstream(volume_mounts=[{"name": "x", "mountPath": "/home/{unescaped_username}/../bob"}])
    assert notebook(await decided(some))["volumeMounts"][0]["mountPath"] == "/home/gstaff/../bob"


async def test_a_profile_is_merged_into_the_trait_itself() -> None:
    """Why each start gets copies."""
    profile = {"display_name": "P", "kubespawner_override": {"environment": {"B": "2"}}}
    some = upstream(environment={"A": "1"}, profile_list=[profile])
    configured = some.environment
    await some.load_user_options()
    assert configured == {"A": "1", "B": "2"}


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        pytest.param({"profile": "other"}, ValueError, id="an unknown profile"),
        pytest.param({"profile": "p", "size": "huge"}, KeyError, id="an unknown choice"),
        pytest.param({"profile": "p", "size": ["x"]}, TypeError, id="a list of choices"),
    ],
)
async def test_options_that_are_not_offered_raise_what_we_expect(options: Any, kind: type[Exception]) -> None:
    some = upstream(profile_list=[{"display_name": "P", "profile_options": {"size": {"choices": {"x": {}}}}}])
    some.user_options = options
    with pytest.raises(kind):
        await some.load_user_options()


async def test_options_are_loaded_before_anything_is_made(cluster: FakeCluster) -> None:
    class Refusing(KubeSpawner):  # type: ignore[misc]
        async def load_user_options(self) -> None:
            raise SpawnException("no", reason="no")

    with pytest.raises(SpawnException):
        await spawner(None, kind=Refusing, storage_pvc_ensure=True).start()
    assert not cluster.created


def test_a_refusal_is_an_http_error_with_text_reason_and_detail() -> None:
    refusal = SpawnException("for the user", reason="label", log_message="for the log", status_code=503)
    assert isinstance(refusal, HTTPError)
    assert (refusal.reason, refusal.status_code) == ("label", 503)
    assert vars(refusal)["message"] == "for the user"
    assert "for the log" in str(refusal)


async def test_an_init_container_that_fails_is_started_again() -> None:
    """Why `home_check` looks at ``lastState`` too."""
    assert (await decided(upstream()))["spec"]["restartPolicy"] == "OnFailure"
