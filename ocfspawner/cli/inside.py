"""What the debug spawn looks at from inside the pod, and what it makes of that.  Pure.

The look is the container's own command, so that it needs no right to run anything in a pod.  It says facts,
one a line, into the log and into the termination message; `judge` is here, where the plan is known.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ocfspawner.plan import ServerPlan

_MARK = "ocfspawner: "

SCRIPT = """\
say() {
    printf 'ocfspawner: %s\\n' "$*"
    printf '%s\\n' "$*" >>/dev/termination-log 2>/dev/null
}
say uid "$(id -u)"
say gid "$(id -g)"
say groups "$(id -G)"
if [ -d "$OCFSPAWNER_HOME" ]; then
    say owner "$(stat -c %u -- "$OCFSPAWNER_HOME")"
    ls -A -- "$OCFSPAWNER_HOME" >/dev/null 2>&1 && say readable yes || say readable no
    [ -w "$OCFSPAWNER_HOME" ] && say writable yes || say writable no
    say free "$(df -P -k -- "$OCFSPAWNER_HOME" 2>/dev/null | { read -r _; read -r _ _ _ free _; echo "$free"; })"
else
    say readable no
fi
if [ -d "$JUPYTERHUB_ROOT_DIR" ]; then
    ls -A -- "$JUPYTERHUB_ROOT_DIR" >/dev/null 2>&1 && say notebooks there || say notebooks unreadable
elif [ -e "$JUPYTERHUB_ROOT_DIR" ]; then
    say notebooks unreadable
else
    say notebooks missing
    [ -w "$OCFSPAWNER_HOME" ] || export JUPYTERHUB_ROOT_DIR="$HOME"
fi
command -v python3 >/dev/null || { say ended no python3 in the image; exit 1; }
probe=$1
shift
exec python3 -s -P -c "$probe" "$@"
"""
"""POSIX shell; the arguments are `PROBE` and the server's command."""

PROBE = """\
import os, subprocess, sys, time, urllib.error, urllib.parse, urllib.request

def say(*words):
    print("ocfspawner:", *words, flush=True)
    try:
        with open("/dev/termination-log", "a") as file:
            print(*words, file=file)
    except OSError:
        pass

web = urllib.request.build_opener(urllib.request.ProxyHandler({}))

def status(url, seconds):
    try:
        with web.open(url, timeout=seconds) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code

try:
    say("hub", status(os.environ["JUPYTERHUB_API_URL"], 5))
except Exception as error:
    say("hub", "no:", getattr(error, "reason", error))

began = time.monotonic()
server = subprocess.Popen(sys.argv[1:])
service = urllib.parse.urlsplit(os.environ["JUPYTERHUB_SERVICE_URL"])
url = f"{service.scheme}://127.0.0.1:{service.port}{service.path}api"
while server.poll() is None:
    try:
        say("answering", status(url, 2), f"{time.monotonic() - began:.1f}")
        break
    except OSError:
        time.sleep(0.1)
else:
    say("ended", server.returncode)
    sys.exit(1)
if os.environ.get("OCFSPAWNER_KEEP"):
    sys.exit(server.wait())
time.sleep(float(os.environ.get("OCFSPAWNER_LINGER", "5")))  # for its log to be read
server.kill()
"""
"""Python: asks the Hub's API, starts the server's command, and asks that until it answers."""

Facts = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    name: str
    ok: bool
    detail: str
    cure: str = ""


def facts_in(lines: Iterable[str], marked: bool = True) -> Facts:
    """The facts in a log, or with *marked* unset in a termination message."""
    facts = {}
    for line in lines:
        if marked and not line.startswith(_MARK):
            continue
        name, _, value = line.removeprefix(_MARK).partition(" ")
        facts[name] = value.strip()
    return facts


def without_facts(lines: Iterable[str]) -> list[str]:
    """A log, as the server itself wrote it."""
    return [line for line in lines if not line.startswith(_MARK)]


def judge(plan: ServerPlan, facts: Facts, read_write: bool) -> Iterator[Check]:
    """What the facts mean for this person; nothing of what has not been said yet."""
    if "groups" in facts:
        yield _ids(plan, facts)
    if "readable" in facts:
        yield _home(plan, facts, read_write)
    if facts.get("free", "").isdigit():
        yield _space(int(facts["free"]))
    if "notebooks" in facts:
        yield _notebooks(plan, facts["notebooks"])
    if "hub" in facts:
        yield _hub(facts["hub"])


def _ids(plan: ServerPlan, facts: Facts) -> Check:
    account = plan.account
    seen = f"uid {facts.get('uid')}, gid {facts.get('gid')}, groups {facts['groups']}"
    # The image may add groups of its own; ours must all be there.
    missing = {str(gid) for gid in (account.gid, *account.supplemental_gids)} - set(facts["groups"].split())
    right = facts.get("uid") == str(account.uid) and facts.get("gid") == str(account.gid) and not missing
    return Check("ids", right, seen, "" if right else "An admission rule of the cluster may have changed the pod.")


def _home(plan: ServerPlan, facts: Facts, read_write: bool) -> Check:
    account = plan.account
    if facts["readable"] != "yes":
        return Check("home", False, f"{account.home} can't be read", "Look at its mode on the file server.")
    if facts.get("owner") != str(account.uid):
        cure = f"Give it to {account.uid} on the file server; 65534 or 4294967294 means that ids are mapped."
        return Check("home", False, f"{account.home} belongs to uid {facts.get('owner')}", cure)
    if read_write and facts.get("writable") != "yes":
        return Check("home", False, f"{account.home} can't be written", "Is it exported read-only, or over quota?")
    return Check("home", True, f"{account.home} is readable and owned by {account.uid}")


def _space(kilobytes: int) -> Check:
    if kilobytes < 1024:
        return Check("space", False, "the file system of the home is full", "Make room, or raise the quota.")
    return Check("space", True, f"{kilobytes // 1024} MiB free where the home lies")


def _notebooks(plan: ServerPlan, seen: str) -> Check:
    path = plan.home.notebook_dir
    if seen == "unreadable":
        return Check(
            "notebook_dir", False, f"{path} is no directory that can be read", "Look at it on the file server."
        )
    return Check("notebook_dir", True, path if seen == "there" else f"{path} is made at the first start")


def _hub(seen: str) -> Check:
    answered = seen.split(" ")[0].isdigit() and int(seen) < 500
    cure = "Look at NetworkPolicies, the Hub's service and c.JupyterHub.hub_connect_url."
    if answered:
        return Check("network", True, "the Hub's API answers")
    return Check("network", False, f"the Hub's API does not answer ({seen})", cure)
