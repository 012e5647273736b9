"""What a server can't reach, and what can't reach it; over the network, that is test_network's."""

import base64
import hashlib
import json

from .support import cluster
from .support.people import Person


def test_only_the_own_home_is_there(guser: Person) -> None:
    code = "import os; print([os.listdir(path) for path in ('/home', '/home/g', '/home/g/gu')])"
    assert guser.server().python(code).strip() == "[['g'], ['gu'], ['guser']]"
    code = "import os; print([os.path.exists(p) for p in ('/home/g/gg', '/home/g/gs/gstaff', '/homes', '/srv/homes')])"
    assert guser.server().python(code).strip() == "[False, False, False, False]"


def test_nothing_can_be_made_beside_the_home(guser: Person) -> None:
    with guser.server().terminal() as terminal:
        assert "Permission denied" in terminal.run("mkdir /home/g/gg")
        assert "Permission denied" in terminal.run("touch /home/g/gu/file")


def test_the_server_has_no_rights_beyond_the_persons(guser: Person) -> None:
    lines = guser.server().python("print(open('/proc/self/status').read())").splitlines()
    status = dict(line.split(":", 1) for line in lines if ":" in line)
    assert set(status["Uid"].split()) == {"35712"}
    assert set(status["Gid"].split()) == {"1000"}
    assert status["Groups"].split() == ["1000", "1006"]
    for capabilities in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(status[capabilities], 16) == 0, capabilities
    assert status["NoNewPrivs"].strip() == "1"
    assert status["Seccomp"].strip() == "2"


def test_the_server_has_no_key_to_the_cluster(guser: Person) -> None:
    assert not cluster.user_pod("guser")["spec"]["automountServiceAccountToken"]
    code = "import os; print([os.path.exists(p + '/secrets/kubernetes.io') for p in ('/run', '/var/run')])"
    assert guser.server().python(code).strip() == "[False, False]"


ENVIRONMENTS = """
import glob, hashlib, json
seen = {}
for path in glob.glob("/proc/[0-9]*/environ"):
    for entry in filter(None, open(path, "rb").read().split(b"\\0")):
        name, _, value = entry.partition(b"=")
        seen.setdefault(name.decode(), []).append(hashlib.sha256(value).hexdigest())
print(json.dumps(seen))
"""
"""Of every process of the pod. Values as digests: what is secret must not get into a test's output either."""


def test_the_only_secret_in_the_environment_is_the_servers_own_token(guser: Person) -> None:
    seen: dict[str, list[str]] = json.loads(guser.server().python(ENVIRONMENTS))
    assert {"HOME", "JUPYTERHUB_USER"} <= set(seen)
    marks = ("TOKEN", "SECRET", "PASS", "KEY", "CREDENTIAL")
    named = {name for name in seen if any(mark in name.upper() for mark in marks)}
    assert named == {"JUPYTERHUB_API_TOKEN", "JPY_API_TOKEN"}
    secrets = [value for secret in cluster.get("secrets")["items"] for value in secret.get("data", {}).values()]
    digests = {hashlib.sha256(base64.b64decode(value).strip()).hexdigest() for value in secrets}
    assert digests, "the Hub has secrets"
    assert not digests & {digest for values in seen.values() for digest in values}


def test_every_container_of_the_pod_is_confined(guser: Person) -> None:
    """Also the one that looks at the home first."""
    spec = cluster.user_pod("guser")["spec"]
    containers = [*spec.get("initContainers", ()), *spec["containers"]]
    assert [container["name"] for container in containers] == ["home-check", "notebook"]
    for container in containers:
        context = container["securityContext"]
        assert (context["runAsUser"], context["runAsGroup"], context["runAsNonRoot"]) == (35712, 1000, True)
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert context["allowPrivilegeEscalation"] is False
        assert container["resources"]["limits"]
        assert container["resources"]["requests"]
    assert "fsGroup" not in spec["securityContext"]


def test_one_person_does_not_get_into_anothers_server(guser: Person, gstaff: Person) -> None:
    """gstaff, as an administrator, would: so it is guser who tries."""
    page = guser.browser.get("/user/gstaff/lab")
    assert page.status_code == 403
    assert gstaff.server().call("GET", "/api/contents").ok
    intruder = Person(gstaff.account, guser.browser, guser.token)
    assert intruder.server().call("GET", "/api/contents").status_code == 403
