"""Who gets which resources.

A policy is a list of rules, read from top to bottom; a later rule overrides an earlier one, field by
field.  That is the whole semantics.  Pure: takes text and values, does no I/O.
"""

from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from ocfspawner.account import Account
from ocfspawner.errors import PolicyInvalid
from ocfspawner.quantity import format_cpu, format_memory, parse_cpu, parse_memory

# -- the file --------------------------------------------------------------------------------


def _as_text(value: object) -> str:
    # YAML reads 2 as an int and 0.5 as a float; both are written as people write quantities.
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError("expected a quantity such as 500m or 2Gi")
    return str(value)


Cpu = Annotated[Decimal, BeforeValidator(lambda value: parse_cpu(_as_text(value)))]
Memory = Annotated[int, BeforeValidator(lambda value: parse_memory(_as_text(value)))]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Amounts(_Strict):
    """An amount of cpu and memory; what is left out is not touched."""

    cpu: Cpu | None = None
    memory: Memory | None = None


class Rule(_Strict):
    """One rule: for whom, and what.  Without ``users`` and ``groups`` it is for everyone."""

    name: str = Field(min_length=1, max_length=63)
    users: frozenset[str] | None = Field(default=None, min_length=1)
    groups: frozenset[str] | None = Field(default=None, min_length=1)
    until: date | None = None
    guarantee: Amounts = Amounts()
    limit: Amounts = Amounts()
    extra: dict[str, Annotated[int, Field(ge=0)]] = {}

    @model_validator(mode="after")
    def _guarantee_within_limit(self) -> "Rule":
        for resource in ("cpu", "memory"):
            guarantee, limit = getattr(self.guarantee, resource), getattr(self.limit, resource)
            if guarantee is not None and limit is not None and guarantee > limit:
                raise ValueError(f"the {resource} guarantee is above the {resource} limit")
        return self

    def applies_to(self, account: Account, today: date) -> bool:
        """Whether *account* is meant, on the day *today*; ``until`` is the last day."""
        if self.until is not None and today > self.until:
            return False
        if self.users is None and self.groups is None:
            return True
        by_name = self.users is not None and account.username in self.users
        return by_name or (self.groups is not None and not self.groups.isdisjoint(account.group_names))


class _PolicyFile(_Strict):
    rules: list[Rule] = []


# -- the result ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Amount:
    """A value and the rule that decided it."""

    value: Decimal | int
    origin: str


@dataclass(frozen=True, slots=True)
class Resources:
    """What one server gets.  An amount that is not there is left to the cluster."""

    cpu_guarantee: Amount | None = None
    """Cores."""

    cpu_limit: Amount | None = None
    memory_guarantee: Amount | None = None
    """Bytes."""

    memory_limit: Amount | None = None
    extra: Mapping[str, Amount] = field(default_factory=dict)
    """Other resources by name, such as ``nvidia.com/gpu``: guarantee and limit alike."""

    def describe(self) -> Iterator[str]:
        """A line for each amount: ``memory limit 2Gi (resources.yaml:7 rule "staff")``."""
        for resource, form in (("cpu", format_cpu), ("memory", format_memory)):
            for bound in ("guarantee", "limit"):
                amount = getattr(self, f"{resource}_{bound}")
                if amount:
                    yield f"{resource} {bound} {form(amount.value)} ({amount.origin})"
        for name, amount in sorted(self.extra.items()):
            yield f"{name} {amount.value} ({amount.origin})"


@dataclass(frozen=True, slots=True)
class Policy:
    """Rules, each with the place where it is written."""

    rules: tuple[tuple[Rule, str], ...] = ()

    def resources_for(self, account: Account, today: date, defaults: Resources) -> Resources:
        """*defaults* with every rule applied that means *account*, in order.

        A guarantee that ends above the limit, because two rules met, is lowered to the limit.
        """
        resources = defaults
        for rule, origin in self.rules:
            if rule.applies_to(account, today):
                resources = _apply(rule, origin, resources)
        return _within_limits(resources)


def _apply(rule: Rule, origin: str, resources: Resources) -> Resources:
    changes: dict[str, Any] = {
        f"{resource}_{bound}": Amount(value, origin)
        for bound, amounts in (("guarantee", rule.guarantee), ("limit", rule.limit))
        for resource, value in amounts
        if value is not None
    }
    extra = {name: Amount(count, origin) for name, count in rule.extra.items()}
    return replace(resources, **changes, extra={**resources.extra, **extra})


def _within_limits(resources: Resources) -> Resources:
    lowered: dict[str, Any] = {}
    for resource in ("cpu", "memory"):
        guarantee, limit = getattr(resources, f"{resource}_guarantee"), getattr(resources, f"{resource}_limit")
        if guarantee and limit and guarantee.value > limit.value:
            lowered[f"{resource}_guarantee"] = replace(limit, origin=f"lowered to the limit of {limit.origin}")
    return replace(resources, **lowered)


# -- reading ---------------------------------------------------------------------------------


class _Loader(yaml.SafeLoader):
    """YAML without two traps: a field that is there twice, of which the first would be lost, and dates.

    Dates stay text, for pydantic to read: PyYAML's error for the 30th of February says no line.
    """

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.MarkedYAMLError(problem=f"{key.value!r} is there twice", problem_mark=key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


_Loader.add_constructor("tag:yaml.org,2002:timestamp", lambda _, node: node.value)


def parse_policy(text: str, source: str) -> Policy:
    """The policy that the YAML *text* holds; *source* is the file's name, for messages and origins.

    Raises `PolicyInvalid` with ``file:line``, the field and what is wrong, one line for each mistake.
    """
    try:
        tree = yaml.compose(text, Loader=_Loader)
        content = yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        raise PolicyInvalid(f"{source}:{line}: not YAML: {getattr(error, 'problem', error)}") from None
    try:
        parsed = _PolicyFile.model_validate(content if content is not None else {})
    except ValidationError as error:
        raise PolicyInvalid("\n".join(_mistakes(error, tree, source))) from None
    return Policy(
        tuple(
            (rule, f"{source}:{_line_of(tree, ('rules', index))} rule “{rule.name}”")
            for index, rule in enumerate(parsed.rules)
        )
    )


def _mistakes(error: ValidationError, tree: yaml.Node | None, source: str) -> Iterator[str]:
    for detail in error.errors(include_url=False):
        path = detail["loc"]
        message = detail["msg"].removeprefix("Value error, ")
        if detail["type"] == "extra_forbidden":
            message = f"unknown field {path[-1]!r}"
        where = ".".join(str(part) for part in path) or "the file"
        yield f"{source}:{_line_of(tree, path)}: {where}: {message}"


def _line_of(tree: yaml.Node | None, path: Iterable[str | int]) -> int:
    """The line of the innermost node that *path* leads to; pydantic may add steps that YAML lacks."""
    line = tree.start_mark.line + 1 if tree else 1
    for step in path:
        if isinstance(tree, yaml.MappingNode):
            found = next(((key, value) for key, value in tree.value if key.value == str(step)), None)
            if found is None:
                break
            key, tree = found
            line = key.start_mark.line + 1
        elif isinstance(tree, yaml.SequenceNode) and isinstance(step, int) and step < len(tree.value):
            tree = tree.value[step]
            line = tree.start_mark.line + 1
        else:
            break
    return line
