"""What the Hub's ``/hub/metrics`` tells of us.  No label ever holds a name of a person."""

from prometheus_client import Counter, Gauge, Histogram

from ocfspawner.errors import Refusal

REFUSALS = Counter(
    "ocfspawner_refusals",
    "Log-ins and spawns that were refused, by reason",
    ["path", "reason"],
)
"""``path`` is ``login``, ``spawn`` or ``running``; ``reason`` is a class of `ocfspawner.errors`."""


def _reasons(kind: type[Refusal]) -> set[str]:
    return {kind.reason}.union(*(_reasons(each) for each in kind.__subclasses__()))


# All are there from the start: Prometheus sees no increase in a series that begins with 1, and a first refusal of its
# kind is the one to be told of.
for _path in ("login", "spawn", "running"):
    for _reason in sorted(_reasons(Refusal) - {Refusal.reason}):
        REFUSALS.labels(_path, _reason)

DIRECTORY_SECONDS = Histogram(
    "ocfspawner_directory_seconds",
    "Time that a directory server took for one operation, by outcome",
    ["server", "operation", "outcome"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
"""``operation`` is ``lookup``, ``login`` (a bind), ``login-lookup`` (what is asked around it) or ``list``;
``outcome`` is ``answered``, ``lost`` or a refusal's reason."""

DIRECTORY_CACHE = Counter(
    "ocfspawner_directory_cache",
    "Look-ups by how they were answered: hit (from memory), joined (one that was under way), miss",
    ["result"],
)

SERVER_UP = Gauge("ocfspawner_directory_server_up", "Whether a directory server answered last time", ["server"])

LAST_KNOWN_GOOD_USES = Counter(
    "ocfspawner_directory_last_known_good_uses",
    "Look-ups answered from the last known good store, because the directory was away",
)

POLICY_RELOAD_FAILURES = Counter(
    "ocfspawner_policy_reload_failures",
    "Versions of the policy file that could not be used, so that the last good policy stayed in force",
)
"""Counted once for each version of the file, while a file that can't be read counts at each attempt."""
