"""Who gets which resources.

A policy is a list of rules, read from top to bottom; a later rule overrides an earlier one, value by
value.  That is the whole semantics.  At the end comes the ceiling, which nothing exceeds.  Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from ocfspawner.account import Account
from ocfspawner.resources import BOUNDS, Number, Resources, Value


@dataclass(frozen=True, slots=True)
class Rule:
    """For whom, when, and what."""

    name: str
    origin: str
    """Where it is written: ``resources.yaml:7 rule “staff”``."""

    values: Mapping[str, Value]
    """By the names of `ocfspawner.resources`."""

    users: frozenset[str] | None = None
    groups: frozenset[str] | None = None
    """With neither users nor groups the rule is for everyone, with both for either."""

    servers: frozenset[str] | None = None
    """Names of servers; the default server's is empty.  ``None`` is all."""

    until: date | None = None
    """The last day."""

    def means(self, account: Account, server: str, today: date) -> bool:
        """Whether the rule is for *account*'s server named *server* on the day *today*."""
        if self.until is not None and today > self.until:
            return False
        if self.servers is not None and server not in self.servers:
            return False
        if self.users is None and self.groups is None:
            return True
        by_name = self.users is not None and account.username in self.users
        return by_name or (self.groups is not None and not self.groups.isdisjoint(account.group_names))


@dataclass(frozen=True, slots=True)
class Policy:
    """Rules in their order, and the ceiling over them."""

    rules: tuple[Rule, ...] = ()
    ceiling: Mapping[str, Number] = field(default_factory=dict)
    """The most that anybody gets, by the names of limits."""

    ceiling_origin: str = "ceiling"

    def resources_for(self, account: Account, server: str, today: date, defaults: Resources) -> Resources:
        """*defaults*, overridden by every rule that means *account*'s server, in order.

        The ceiling is not in it yet: a profile may come between.  See `limited`.
        """
        resources = defaults
        for rule in self.rules:
            if rule.means(account, server, today):
                resources = resources.override(rule.values, rule.origin)
        return resources

    def limited(self, resources: Resources) -> Resources:
        """*resources* brought down to the ceiling, and each guarantee to its limit.

        Where there is a ceiling and no limit, the ceiling is the limit.
        """
        highest: dict[str, Value] = {}
        for name, most in self.ceiling.items():
            number = resources.number(name)
            if number is None or number > most:
                highest[name] = most
        # A count that nobody gave is none, not the most.
        highest = {name: most for name, most in highest.items() if name in resources.decided or name in _LIMITS}
        return _guarantees_within_limits(resources.override(highest, self.ceiling_origin) if highest else resources)


_LIMITS = frozenset(limit for _, limit in BOUNDS)


def _guarantees_within_limits(resources: Resources) -> Resources:
    for guarantee, limit in BOUNDS:
        least, most = resources.number(guarantee), resources.number(limit)
        if least is not None and most is not None and least > most:
            resources = resources.override(
                {guarantee: most}, f"lowered to the limit of {resources.decided[limit].origin}"
            )
    return resources
