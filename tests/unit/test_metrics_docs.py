"""docs/metrics.md tells of every metric and every alert, and the examples beside it ask for what there is."""

import re
from pathlib import Path
from typing import Any

import jupyterhub.metrics
import pytest
import yaml
from prometheus_client import Counter
from prometheus_client.metrics import MetricWrapperBase

from ocfspawner import metrics

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/metrics.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in TEXT.splitlines() if row.startswith("|")
]
PROMETHEUS = ROOT / "deploy/examples/prometheus"
RULES: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((PROMETHEUS / "alerts.yaml").read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
]

PROXY = {"requests_proxy"}
"""Of configurable-http-proxy 5.2.0, lib/metrics.js."""

PROMETHEUS_OWN = {"up", "process_start_time_seconds", "process_resident_memory_bytes"}
"""What Prometheus adds itself, and what its clients in Python and Node.js have in common."""


def registered(module: Any) -> dict[str, MetricWrapperBase]:
    """Each under the name that Prometheus shows."""
    found = [value for value in vars(module).values() if isinstance(value, MetricWrapperBase)]
    return {metric._name + ("_total" if isinstance(metric, Counter) else ""): metric for metric in found}


OURS = registered(metrics)
KNOWN = {**OURS, **registered(jupyterhub.metrics)}


@pytest.mark.parametrize("name", OURS)
def test_each_of_ours_is_told_with_its_type_and_labels(name: str) -> None:
    (cells,) = [cells for cells in ROWS if cells[0] == f"`{name}`"]
    assert cells[1] == OURS[name]._type
    assert tuple(re.findall(r"`(\w+)`", cells[2])) == OURS[name]._labelnames
    assert cells[3]


def test_nothing_is_told_that_is_not_there() -> None:
    told = {name for cells in ROWS for name in re.findall(r"`((?:ocfspawner|jupyterhub)_\w+)`", cells[0])}
    assert set(OURS) <= told <= set(KNOWN)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_each_alert_asks_for_what_there_is(rule: dict[str, Any]) -> None:
    names = set(re.findall(r"\b[a-z]+(?:_[a-z0-9]+)+\b", re.sub(r"\{[^}]*\}", "", rule["expr"])))
    series = {*PROXY, *PROMETHEUS_OWN, "histogram_quantile"}
    for name, metric in KNOWN.items():
        series |= {name + suffix for suffix in (("_bucket", "_count") if metric._type == "histogram" else ("",))}
    assert names <= series
    assert set(rule["labels"]) == {"severity"}
    assert rule["annotations"]["summary"]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_each_alert_is_told_as_it_is(rule: dict[str, Any]) -> None:
    (cells,) = [cells for cells in ROWS if cells[0] == rule["alert"]]
    wait = f", for {rule['for']}" if "for" in rule else ""
    assert cells[1].replace("\\|", "|") == f"`{rule['expr']}`{wait}"
    assert cells[2]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_each_alert_is_tried(rule: dict[str, Any]) -> None:
    """By ``promtool test rules``, in `ci/test`."""
    tests = yaml.safe_load((ROOT / "tests/alerts/alerts_test.yaml").read_text(encoding="utf-8"))["tests"]
    tried = [case for test in tests for case in test["alert_rule_test"] if case["alertname"] == rule["alert"]]
    assert any("exp_alerts" in case for case in tried)
    assert any("exp_alerts" not in case for case in tried)


@pytest.mark.parametrize("job", ["hub", "proxy"])
def test_prometheus_looks_where_the_pods_say(job: str) -> None:
    deployment = yaml.safe_load((ROOT / f"deploy/base/{job}.yaml").read_text(encoding="utf-8"))
    pod = deployment["spec"]["template"]
    said = pod["metadata"]["annotations"]
    port = next(
        p for p in pod["spec"]["containers"][0]["ports"] if str(p["containerPort"]) == said["prometheus.io/port"]
    )
    wanted = f"{pod['metadata']['labels']['app.kubernetes.io/component']};{port['name']}"
    jobs = yaml.safe_load((PROMETHEUS / "scrape.yaml").read_text(encoding="utf-8"))["scrape_configs"]
    (found,) = [each for each in jobs if each["relabel_configs"][0]["regex"] == wanted]
    assert found.get("metrics_path", "/metrics") == said["prometheus.io/path"]
