"""Kubernetes would take every object, of every kustomization, in each of its three newest versions."""

from __future__ import annotations

import functools
import json

import pytest
from kubernetes_validate import utils, validate

from tests.manifests.cluster import K8S, Cluster
from tests.manifests.conftest import BASE, names

VERSIONS = sorted({utils.major_minor(found) for found in utils.all_versions()}, key=utils.Version)[-3:]
# Kinds that others bring to a cluster; kubernetes-validate knows none of them.
FOREIGN = {
    ("keda.sh/v1alpha1", "ScaledObject"),
    ("keda.sh/v1alpha1", "TriggerAuthentication"),
    ("monitoring.coreos.com/v1", "ServiceMonitor"),
    ("monitoring.coreos.com/v1", "PrometheusRule"),
}


@pytest.fixture(autouse=True)
def _schemas_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(utils, "schema_contents", _read)


_read = functools.cache(utils.schema_contents)


@pytest.mark.parametrize("version", VERSIONS)
def test_every_object_is_valid(version: str, built: dict[str, Cluster]) -> None:
    objects = {json.dumps(one, sort_keys=True): one for made in built.values() for one in made.objects}

    checked = 0
    for one in objects.values():
        if (one["apiVersion"], one["kind"]) not in FOREIGN:
            assert validate(one, version, strict=True) == version
            checked += 1

    assert checked > 50


def test_a_wrong_word_is_noticed(built: dict[str, Cluster]) -> None:
    """That the check above can fail."""
    found = json.loads(json.dumps(built[BASE].one("Deployment", "web")))
    found["spec"]["template"]["spec"]["terminationGracePeriod"] = 45

    with pytest.raises(utils.ValidationError):
        validate(found, VERSIONS[-1], strict=True)


def test_every_kustomization_was_built(built: dict[str, Cluster]) -> None:
    folders = {path.parent for path in K8S.rglob("kustomization.yaml")}
    components = {folder for folder in folders if folder.parent.name == "components"}

    assert (
        {folder.name for folder in folders - components}
        | {f"{name}-whole" for name in ("demo", "production")}
        == {*built}
        == {BASE, *names()}
    )


def test_everything_lives_in_one_restricted_namespace(cluster: Cluster) -> None:
    (namespace,) = cluster.of("Namespace")

    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    for one in cluster.objects:
        if one is not namespace:
            assert one["metadata"].get("namespace") == namespace["metadata"]["name"], one["metadata"]["name"]


def test_no_two_objects_have_one_name(cluster: Cluster) -> None:
    found = [(one["kind"], one["metadata"]["name"]) for one in cluster.objects]

    assert len(found) == len(set(found))
