"""docs/deploy.md has every setting as jupyterhub_config.py and deploy/base have it, and its files as they are."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/deploy.md").read_text(encoding="utf-8")
CONFIG = ast.parse((ROOT / "jupyterhub_config.py").read_text(encoding="utf-8"))
SEED = (
    "NOTEBOOK_DIR",
    "POD_NAMESPACE",
    "IMAGE_PULL_POLICY",
    "EVENTS_ENABLED",
    "SERVICE_ACCOUNT",
    "STORAGE_EXTRA_LABELS",
    "MEM_LIMIT",
    "MEM_GUARANTEE",
    "CPU_LIMIT",
    "CPU_GUARANTEE",
    "EXTRA_RESOURCE_LIMITS",
    "EXTRA_RESOURCE_GUARANTEES",
    "EXTRA_ENV",
    "SINGLEUSER_IMAGE",
)
"""The settings of the README that this project began with, in its order."""


def section(title: str) -> str:
    """What stands below a heading, up to the next one of the same level."""
    return TEXT.split(f"\n## {title}\n")[1].split("\n## ")[0]


def rows(text: str) -> list[list[str]]:
    return [[cell.strip() for cell in row[1:-1].split("|")] for row in text.splitlines() if row.startswith("| `")]


TABLE = {cells[0].strip("`"): cells for cells in rows(section("All settings")) if re.fullmatch(r"`[A-Z_]+`", cells[0])}


def settings_file(path: str) -> dict[str, str]:
    lines = (ROOT / path).read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def asked_for() -> dict[str, str | None]:
    """Each name that jupyterhub_config.py reads from its environment, with its default as far as it is a constant."""
    found: dict[str, str | None] = {}
    calls = [node for node in ast.walk(CONFIG) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    for call in sorted(calls, key=lambda call: (call.lineno, call.col_offset)):
        if ast.unparse(call.func) in ("text", "value") and isinstance(call.args[0], ast.Constant):
            # The first time that it is asked for may be a mere look whether it is set.
            found[str(call.args[0].value)] = default_of(call)
    return found


def default_of(call: ast.Call) -> str | None:
    if len(call.args) == 1:
        return "none"
    source = ast.unparse(call.args[1]).replace("{here}", "/srv/jupyterhub").removeprefix("f")
    return source.strip("'\"") if re.fullmatch(r"'[^']*'|\"[^\"]*\"", source) else None


BASE = settings_file("deploy/base/settings.env")


def asked_for_by_components() -> dict[str, str]:
    """The same of the files that components bring."""
    files = [file.read_text(encoding="utf-8") for file in sorted((ROOT / "deploy/components").glob("*/*.py"))]
    return dict(re.findall(r'os\.environ\.get\("([A-Z_]+)"\) or "(.*)"', "".join(files)))


def test_all_settings_are_told_and_no_others() -> None:
    assert list(TABLE) == [*asked_for(), *asked_for_by_components()]
    for name, default in asked_for_by_components().items():
        assert TABLE[name][1].strip("`") == default


@pytest.mark.parametrize(("name", "default"), asked_for().items())
def test_each_setting_is_told_with_its_values(name: str, default: str | None) -> None:
    _, told_default, told_base, what = TABLE[name]
    if default is not None:
        assert told_default.strip("`") == default
    assert told_base.strip("`") == BASE.get(name, "")
    assert what


@pytest.mark.parametrize(
    "path",
    [
        "deploy/base/settings.env",
        "deploy/overlays/demo/settings.env",
        "deploy/overlays/ocf/settings.env",
        "deploy/examples/site/settings.env",
    ],
)
def test_overlays_set_what_there_is(path: str) -> None:
    assert set(settings_file(path)) <= set(TABLE)


def test_the_order_is_that_of_the_beginning() -> None:
    told = [name for name in TABLE if name in SEED]
    assert set(told) == set(SEED)
    assert told[0] == "NOTEBOOK_DIR"
    servers = re.findall(r"`([A-Z_]+)`", section("8. Servers: KubeSpawner"))
    assert tuple(dict.fromkeys(servers)) == SEED[1:]
    assert TEXT.index("NOTEBOOK_DIR") < TEXT.index("mysql+pymysql://") < TEXT.index("JPY_COOKIE_SECRET")
    assert TEXT.index("JPY_COOKIE_SECRET") < TEXT.index("CONFIGPROXY_AUTH_TOKEN") < TEXT.index("## 8. Servers")


def test_the_example_is_shown_as_it_is() -> None:
    assert (ROOT / "deploy/examples/site/kustomization.yaml").read_text(encoding="utf-8") in TEXT
    assert (ROOT / "deploy/examples/site/ingress.env").read_text(encoding="utf-8") in TEXT


@pytest.mark.parametrize("path", [*sorted(ROOT.glob("docs/*.md")), ROOT / "README.md"], ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s:]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8")):
        assert (path.parent / target).exists(), f"{path.name} links to {target}"
