"""Counters on the Hub's ``/hub/metrics``."""

from prometheus_client import Counter

REFUSALS = Counter(
    "ocfspawner_refusals",
    "Log-ins and spawns that were refused, by reason",
    ["path", "reason"],
)
"""``path`` is ``login`` or ``spawn``; ``reason`` is a class of `ocfspawner.errors`, never a name."""
