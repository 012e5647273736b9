"""The policy as people write it: YAML, checked against a schema, each mistake with its line.  Pure."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from datetime import date
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    StringConstraints,
    ValidationError,
    WithJsonSchema,
    model_validator,
)

from ocfspawner.account import USERNAME
from ocfspawner.errors import PolicyInvalid
from ocfspawner.policy import Policy, Rule
from ocfspawner.quantity import Bytes, Cores, parse_cpu, parse_memory
from ocfspawner.resources import (
    BOUNDS,
    CPU_LIMIT,
    EXTRA,
    MEMORY_LIMIT,
    NODE_LABEL,
    SHARED_MEMORY,
    STORAGE_LIMIT,
    TOLERATIONS,
    Number,
    Toleration,
    Value,
)

# -- what may be written ---------------------------------------------------------------------


def _quantity(parse: Callable[[str], Any]) -> PlainValidator:
    def validate(value: object) -> Any:
        # YAML reads 2 as an int and 0.5 as a float; both are written as people write quantities.
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ValueError("expected a quantity such as 500m or 2Gi")
        return parse(str(value))

    return PlainValidator(validate)


_Cores = Annotated[
    Cores,
    _quantity(parse_cpu),
    WithJsonSchema(
        {"anyOf": [{"type": "string", "pattern": r"^([0-9]+m|[0-9]+(\.[0-9]{1,3})?)$"}, {"type": "number"}]}
    ),
]
_Bytes = Annotated[
    Bytes,
    _quantity(parse_memory),
    WithJsonSchema({"anyOf": [{"type": "string", "pattern": "^[0-9]+(Ki|Mi|Gi|Ti|Pi)?$"}, {"type": "integer"}]}),
]

_USER = f"^{USERNAME}$"
_GROUP = r"^[^\s:,](?:[^:,\x00-\x1f\x7f]*[^\s:,])?$"
_SERVER = r"^[A-Za-z0-9_.~-]{0,255}$"
_RESOURCE = r"^[a-z0-9.-]+/[A-Za-z0-9._-]+$"
_LABEL = r"^([a-z0-9.-]+/)?[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$"
_LABEL_VALUE = r"^([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?$"
_IN_WORDS = {
    _USER: "no account can have this name: letters, digits, _ . - only, and no wildcards",
    _GROUP: "no group can have this name",
    _SERVER: "no server can have this name: letters, digits, _ . ~ - only; the default server's is empty",
    _RESOURCE: "expected a resource's full name, such as nvidia.com/gpu",
    _LABEL: "expected a label's name, such as kubernetes.io/arch",
    _LABEL_VALUE: "expected a label's value: letters, digits, _ . - only",
}
"""What the machine's patterns mean."""

_Username = Annotated[str, StringConstraints(pattern=_USER)]
_GroupName = Annotated[str, StringConstraints(pattern=_GROUP)]
_ServerName = Annotated[str, StringConstraints(pattern=_SERVER)]
_ResourceName = Annotated[str, StringConstraints(pattern=_RESOURCE)]
_LabelName = Annotated[str, StringConstraints(pattern=_LABEL)]
_LabelValue = Annotated[str, StringConstraints(pattern=_LABEL_VALUE)]
_Count = Annotated[int, Field(ge=0, strict=True)]


class _Written(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=False)


class _Amounts(_Written):
    """Amounts; what is left out is not touched."""

    cpu: _Cores | None = None
    memory: _Bytes | None = None
    ephemeral_storage: Annotated[_Bytes | None, Field(alias="ephemeral-storage")] = None

    def values(self, bound: int) -> Iterator[tuple[str, Value]]:
        """By the names of guarantees (*bound* 0) or limits (1)."""
        for amount, names in zip((self.cpu, self.memory, self.ephemeral_storage), BOUNDS, strict=True):
            if amount is not None:
                yield names[bound], amount


class _Toleration(_Written):
    """A taint that is tolerated."""

    key: _LabelName
    value: _LabelValue = ""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute", ""] = ""


class _Rule(_Written):
    """For whom, when, and what.  Without `users` and `groups` it is for everyone."""

    name: Annotated[str, Field(min_length=1, max_length=63)]
    users: Annotated[frozenset[_Username] | None, Field(min_length=1)] = None
    groups: Annotated[frozenset[_GroupName] | None, Field(min_length=1)] = None
    servers: Annotated[frozenset[_ServerName] | None, Field(min_length=1)] = None
    until: date | None = None
    guarantee: _Amounts = _Amounts()
    limit: _Amounts = _Amounts()
    extra: dict[_ResourceName, _Count] = {}
    shm: _Bytes | None = None
    node_selector: dict[_LabelName, _LabelValue] = {}
    tolerations: list[_Toleration] | None = None

    @model_validator(mode="after")
    def _sound(self) -> "_Rule":
        if not self.values():
            raise ValueError(
                "the rule gives nothing: it needs guarantee, limit, extra, shm, node_selector or tolerations"
            )
        values = self.values()
        for guarantee, limit in BOUNDS:
            if guarantee in values and limit in values and values[guarantee] > values[limit]:  # type: ignore[operator]
                raise ValueError(f"the {guarantee} is above the {limit}")
        return self

    def values(self) -> dict[str, Value]:
        """What the rule gives."""
        values: dict[str, Value] = {**dict(self.guarantee.values(0)), **dict(self.limit.values(1))}
        values |= {f"{EXTRA}{name}": count for name, count in self.extra.items()}
        values |= {f"{NODE_LABEL}{name}": value for name, value in self.node_selector.items()}
        if self.shm is not None:
            values[SHARED_MEMORY] = self.shm
        if self.tolerations is not None:
            values[TOLERATIONS] = tuple(Toleration(t.key, t.value, t.effect) for t in self.tolerations)
        return values


class _Ceiling(_Written):
    """The most that anybody gets, whatever rules and profiles say."""

    cpu: _Cores | None = None
    memory: _Bytes | None = None
    ephemeral_storage: Annotated[_Bytes | None, Field(alias="ephemeral-storage")] = None
    shm: _Bytes | None = None
    extra: dict[_ResourceName, _Count] = {}

    def values(self) -> dict[str, Number]:
        """By the names of limits."""
        named = {
            CPU_LIMIT: self.cpu,
            MEMORY_LIMIT: self.memory,
            STORAGE_LIMIT: self.ephemeral_storage,
            SHARED_MEMORY: self.shm,
            **{f"{EXTRA}{name}": count for name, count in self.extra.items()},
        }
        return {name: most for name, most in named.items() if most is not None}


class PolicyText(_Written):
    """Who gets which resources: rules from top to bottom, later ones override earlier ones; then the ceiling."""

    rules: list[_Rule] = []
    ceiling: _Ceiling = _Ceiling()


def json_schema() -> Mapping[str, Any]:
    """The schema of the file, for editors."""
    schema = PolicyText.model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "ocfspawner resource policy"}


# -- reading ---------------------------------------------------------------------------------


class _Loader(yaml.SafeLoader):
    """YAML without two traps: a field that is there twice, of which the first would be lost, and dates.

    Dates stay text, for pydantic to read: PyYAML's error for the 30th of February says no line.
    """

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.MarkedYAMLError(problem="a field's name is text", problem_mark=key.start_mark)
            if key.value in seen:
                raise yaml.MarkedYAMLError(problem=f"{key.value!r} is there twice", problem_mark=key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


_Loader.add_constructor("tag:yaml.org,2002:timestamp", lambda _, node: node.value)


def parse_policy(text: str, source: str) -> Policy:
    """The policy that the YAML *text* holds; *source* is the file's name, for messages and origins.

    Raises `PolicyInvalid` with ``file:line``, the field and what is wrong, a line for each mistake.
    """
    try:
        tree = yaml.compose(text, Loader=_Loader)
        content = yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        raise PolicyInvalid(f"{source}:{line}: not YAML: {getattr(error, 'problem', None) or error}") from None
    try:
        written = PolicyText.model_validate({} if content is None else content)
    except ValidationError as error:
        raise PolicyInvalid("\n".join(_mistakes(error, tree, source))) from None
    rules = (
        Rule(
            name=rule.name,
            origin=f"{source}:{_line_of(tree, ('rules', index))} rule “{rule.name}”",
            values=rule.values(),
            users=rule.users,
            groups=rule.groups,
            servers=rule.servers,
            until=rule.until,
        )
        for index, rule in enumerate(written.rules)
    )
    ceiling_origin = f"{source}:{_line_of(tree, ('ceiling',))} ceiling"
    return Policy(tuple(rules), written.ceiling.values(), ceiling_origin)


def _mistakes(error: ValidationError, tree: yaml.Node | None, source: str) -> Iterator[str]:
    for detail in error.errors(include_url=False):
        path = detail["loc"]
        message = detail["msg"].removeprefix("Value error, ")
        if detail["type"] == "extra_forbidden":
            message = "there is no such field"
        elif detail["type"] == "string_pattern_mismatch":
            message = f"{detail['input']!r}: {_IN_WORDS[detail['ctx']['pattern']]}"
        where = ".".join(str(part) for part in path if part != "[key]") or "the file"
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
