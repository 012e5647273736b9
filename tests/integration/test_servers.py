"""Several servers at once, and a Hub that goes away beneath them."""

from concurrent.futures import ThreadPoolExecutor

from .conftest import Newcomers
from .support import cluster
from .support.hub import Api
from .support.people import Person
from .support.waiting import wait_for


def test_two_people_at_once_get_each_their_own(api: Api, newcomers: Newcomers) -> None:
    both = [newcomers("anna"), newcomers("bert")]
    for account in both:
        api.add_user(account.name)
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(api.started, [account.name for account in both]))
    for account in both:
        script = "id --user --name; id --user; echo $HOME; stat --format=%u $HOME"
        seen = cluster.in_pod(account.name, "sh", "-c", script).split()
        assert seen == [account.name, str(account.uid), account.home, str(account.uid)]


def test_a_named_server_has_the_same_home(guser: Person, api: Api) -> None:
    api.started(guser.name, "second")
    try:
        assert len(cluster.user_pods(guser.name)) == 2
        guser.server("second").python("open('shared.txt', 'w').write('from the second')")
        assert guser.server().python("print(open('shared.txt').read())").strip() == "from the second"
        assert cluster.in_pod(guser.name, "id", "--user", server="second").strip() == str(guser.account.uid)
    finally:
        api.stop(guser.name, "second")
        cluster.on_files("rm", "-f", cluster.stored(f"{guser.account.home}/notebooks/shared.txt"))
    assert guser.server().answer("GET", "/api/status")


def test_a_server_outlives_the_hub_that_started_it(guser: Person, api: Api) -> None:
    pod = cluster.user_pod(guser.name)["metadata"]["uid"]
    assert guser.server().answer("GET", "/api/status")
    cluster.kubectl("delete", "pod", "--selector=app.kubernetes.io/component=hub", "--wait=true")
    assert guser.server().answer("GET", "/api/status"), "without a Hub"
    cluster.kubectl("rollout", "status", "deployment/hub", "--timeout=120s", timeout=130)
    wait_for("the Hub to answer through the proxy", lambda: api.call("GET", "/").ok)
    assert api.user(guser.name)["servers"][""]["ready"]
    assert cluster.user_pod(guser.name)["metadata"]["uid"] == pod
    assert guser.server().python("print(6 * 7)").strip() == "42"
