"""What the verdicts on many accounts add up to.  Pure."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from ocfspawner.cli.everybody import Verdict
from ocfspawner.policy import Policy
from ocfspawner.quantity import Bytes, Cores
from ocfspawner.resources import BOUNDS, EXTRA, Resources

_EXAMPLES = 3
_FACTORS = {
    "": Decimal(1),
    **{suffix: Decimal(1000) ** -power for power, suffix in enumerate("mun", start=1)},
    **{suffix: Decimal(1000) ** power for power, suffix in enumerate("kMGTPE", start=1)},
    **{f"{suffix}i": Decimal(1024) ** power for power, suffix in enumerate("KMGTPE", start=1)},
}


@dataclass(frozen=True, slots=True)
class Share:
    """Accounts that get the same."""

    resources: Mapping[str, str]
    accounts: int
    examples: Sequence[str]


@dataclass(frozen=True, slots=True)
class RuleUse:
    """What a rule did."""

    origin: str
    accounts: int
    """How many it means."""

    decides: int
    """For how many something of it is in force at the end."""

    remark: str


def shares(verdicts: Iterable[Verdict]) -> list[Share]:
    """Who gets what, the many first."""
    users: dict[tuple[tuple[str, str], ...], list[str]] = defaultdict(list)
    for verdict in verdicts:
        if verdict.resources is not None:
            users[tuple(sorted(values(verdict.resources).items()))].append(verdict.username)
    found = (Share(dict(key), len(names), names[:_EXAMPLES]) for key, names in users.items())
    return sorted(found, key=lambda share: -share.accounts)


def values(resources: Resources) -> Mapping[str, str]:
    """The values alone, as text."""
    return {name: decided.text for name, decided in resources.decided.items()}


def rule_uses(policy: Policy, verdicts: Sequence[Verdict], today: date) -> list[RuleUse]:
    """What each rule and the ceiling did."""
    means: Counter[str] = Counter()
    decides: Counter[str] = Counter()
    for verdict in verdicts:
        if verdict.resources is not None:
            decided = verdict.resources.decided.values()
            means.update({one.origin for last in decided for one in last.history()})
            decides.update({last.origin for last in decided})
    uses = []
    for rule in policy.rules:
        over = rule.until is not None and rule.until < today
        remark = f"over since {rule.until}" if over else _remark(means[rule.origin], decides[rule.origin])
        uses.append(RuleUse(rule.origin, means[rule.origin], decides[rule.origin], remark))
    if policy.ceiling:
        origin = policy.ceiling_origin
        remark = "" if means[origin] else "lowers nothing"
        uses.append(RuleUse(origin, means[origin], decides[origin], remark))
    return uses


def _remark(means: int, decides: int) -> str:
    if not means:
        return "matches nobody"
    return "" if decides else "always overridden"


def guarantees(verdicts: Iterable[Verdict]) -> Mapping[str, Decimal | int]:
    """The sum of what would be set aside if all servers ran; where there is a limit alone, it is the guarantee."""
    total: dict[str, Decimal | int] = defaultdict(int)
    for verdict in verdicts:
        if verdict.resources is None:
            continue
        for guarantee, limit in BOUNDS:
            amount = verdict.resources.number(guarantee)
            amount = verdict.resources.number(limit) if amount is None else amount
            if amount is not None:
                total[guarantee.split()[0]] += amount
        for name in verdict.resources.decided:
            count = verdict.resources.number(name)
            if name.startswith(EXTRA) and count is not None:
                total[name.removeprefix(EXTRA)] += count
    return total


def allocatable(nodes: Iterable[Mapping[str, Any]]) -> Mapping[str, Decimal | int]:
    """What all nodes together that take pods have for pods."""
    total: dict[str, Decimal | int] = defaultdict(int)
    for node in nodes:
        if not node["spec"].get("unschedulable"):
            for name, text in node["status"]["allocatable"].items():
                total[name] += _amount(name, str(text))
    return total


def _amount(name: str, text: str) -> Decimal | int:
    """A quantity as the API server spells it: also 5k, which no policy may say."""
    number, suffix = re.fullmatch(r"([0-9.]+)([A-Za-z]*)", text).groups()  # type: ignore[union-attr]  # its grammar
    amount = Decimal(number) * _FACTORS[suffix]
    return amount if name == "cpu" else int(amount)


def shown(name: str, amount: Decimal | int) -> str:
    """A sum for people: rounded, as nobody reads 40 digits."""
    if name == "cpu":
        return str(Cores(round(Decimal(amount), 3))) if amount < 10 else f"{amount:.0f}"
    if name in ("memory", "ephemeral-storage"):
        return f"{amount / 2**30:.1f}Gi" if amount >= 2**30 else str(Bytes(amount))
    return str(amount)
