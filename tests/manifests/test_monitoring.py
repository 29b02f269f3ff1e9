"""The alert rules and the dashboard ask for what the code tells, and for all of it; each alert is explained."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.metrics_core import Metric

from tests.fleet import ROOT
from workers.alerts.conditions import KINDS
from workers.ledger_metrics import LedgerCollector
from workers.metrics import PREFIX

MONITORING = ROOT / "k8s" / "components" / "monitoring"
_SELECTOR = re.compile(r"(inventory_sync_\w+)(?:\{([^}]*)\})?")
_LABEL = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)")
_BY = re.compile(r"by \(([^)]*)\)")
GENERAL = {"le", "app_kubernetes_io_component"}  # of histograms, and of the pod


def rules() -> list[dict[str, Any]]:
    """All alerts."""
    loaded = yaml.safe_load((MONITORING / "rules.yaml").read_text())
    return [rule for group in loaded["spec"]["groups"] for rule in group["rules"]]


def expressions() -> Iterator[str]:
    """Every query of the rules and of the dashboard."""
    yield from (rule["expr"] for rule in rules())
    for panel in json.loads((MONITORING / "dashboard.json").read_text())["panels"]:
        yield from (target["expr"] for target in panel.get("targets", ()))


@pytest.fixture
def told(database: str) -> dict[str, set[str]]:
    """The labels of each series that the code can give, by its name as a query has it."""
    registry = CollectorRegistry()
    registry.register(LedgerCollector())
    found: dict[str, set[str]] = {}
    for collector in [*REGISTRY._collector_to_names]:
        name = getattr(collector, "_name", "")
        if name.startswith(PREFIX):
            labels = set(collector._labelnames)  # type: ignore[attr-defined]
            suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_count", "_sum"]}
            for suffix in suffixes.get(collector._type, [""]):  # type: ignore[attr-defined]
                found[name + suffix] = labels
    families: list[Metric] = list(registry.collect())
    for family in families:
        found[family.name] = {label for sample in family.samples for label in sample.labels}
    # What has no row now has its label all the same.
    return {**found, f"{PREFIX}open_alerts": {"kind"}, f"{PREFIX}site_sync_age_seconds": {"site_id"}}


def test_every_query_asks_for_what_the_code_tells(told: dict[str, set[str]]) -> None:
    for expression in expressions():
        for name, selector in _SELECTOR.findall(expression):
            assert name in told, expression
            assert set(_LABEL.findall(selector)) <= told[name], expression


def test_every_grouping_is_by_labels_that_are_there(told: dict[str, set[str]]) -> None:
    for expression in expressions():
        labels = set().union(*(told[name] for name, _ in _SELECTOR.findall(expression))) | GENERAL
        for group in _BY.findall(expression):
            assert {label.strip() for label in group.split(",")} <= labels, expression


def test_everything_that_the_code_tells_is_looked_at(told: dict[str, set[str]]) -> None:
    asked = " ".join(expressions())
    unused = {name for name in told if name not in asked and not name.endswith(("_bucket", "_count", "_sum"))}
    assert unused == set()
    for name in told:
        if name.endswith("_bucket"):
            assert name in asked, name


def test_every_alert_has_a_severity_a_sentence_and_a_section_of_what_to_do() -> None:
    text = (ROOT / "docs" / "alerts.md").read_text()
    sections = re.findall(r"^### (\w+)$", text, re.MULTILINE)
    assert sorted(sections) == sorted([*KINDS, *(rule["alert"] for rule in rules())])
    for rule in rules():
        assert rule["labels"]["severity"] in ("critical", "warning", "info"), rule["alert"]
        assert rule["annotations"]["summary"].endswith("."), rule["alert"]
        assert rule["for"], rule["alert"]


def test_the_panels_do_not_lie_on_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in json.loads((MONITORING / "dashboard.json").read_text())["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24, panel["title"]
        taken |= cells


def test_nothing_else_stands_in_the_folder() -> None:
    component = yaml.safe_load((MONITORING / "kustomization.yaml").read_text())
    named = {*component["resources"], "dashboard.json", "kustomization.yaml"}
    assert {path.name for path in Path(MONITORING).iterdir()} == named
