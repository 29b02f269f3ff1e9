"""What `kubectl apply -k` would send: the objects of a kustomization, and how they point at each other."""

from __future__ import annotations

import base64
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
K8S = ROOT / "k8s"
TEMPLATED = ("Deployment", "StatefulSet", "Job", "CronJob")
COMPONENTS = tuple(sorted(path.name for path in (K8S / "components").iterdir()))
OVERLAYS = tuple(sorted(path.name for path in (K8S / "overlays").iterdir()))

Object = dict[str, Any]


def kustomize(folder: Path) -> list[Object]:
    """Build one kustomization. Raises AssertionError with what kubectl says."""
    done = subprocess.run(["kubectl", "kustomize", str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [found for found in yaml.safe_load_all(done.stdout) if found]


def copied(folder: Path) -> Path:
    """A copy of k8s/ to build in: with the secrets.env that an operator makes, and everything in one overlay each."""
    made = folder / "k8s"
    shutil.copytree(K8S, made)
    shutil.copy(made / "base" / "secrets.example.env", made / "overlays" / "production" / "secrets.env")
    for overlay in OVERLAYS:
        whole = made / "overlays" / f"{overlay}-whole"
        whole.mkdir()
        used = yaml.safe_load((made / "overlays" / overlay / "kustomization.yaml").read_text())
        names = [Path(one).name for one in used.get("components", [])]
        others = [f"../../components/{name}" for name in COMPONENTS if name not in names]
        content = {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "namespace": used["namespace"],
            "resources": [f"../{overlay}"],
            "components": others,
        }
        (whole / "kustomization.yaml").write_text(yaml.safe_dump(content))
    return made


@dataclass(frozen=True)
class Pods:
    """What makes pods, and their template."""

    owner: Object
    template: Object

    @property
    def name(self) -> str:
        """As `worker-sync`."""
        return str(self.owner["metadata"]["name"])

    @property
    def labels(self) -> Mapping[str, str]:
        """Of each pod."""
        return dict(self.template["metadata"]["labels"])

    @property
    def spec(self) -> Object:
        """The pod's."""
        found: Object = self.template["spec"]
        return found

    @property
    def containers(self) -> list[Object]:
        """All, those of the init phase first."""
        return [*self.spec.get("initContainers", []), *self.spec["containers"]]

    @property
    def app(self) -> Object:
        """The container that does the work."""
        found: Object = self.spec["containers"][0]
        return found

    @property
    def ports(self) -> dict[str, int]:
        """Name -> number."""
        return {
            port["name"]: port["containerPort"]
            for container in self.containers
            for port in container.get("ports", [])
        }


@dataclass(frozen=True)
class Cluster:
    """All objects of one kustomization."""

    objects: Sequence[Object]

    def of(self, *kinds: str) -> list[Object]:
        """All of these kinds."""
        return [one for one in self.objects if one["kind"] in kinds]

    def one(self, kind: str, name: str) -> Object:
        """The one of that name."""
        (found,) = [one for one in self.of(kind) if one["metadata"]["name"] == name]
        return found

    def names(self, kind: str) -> set[str]:
        """Of all objects of a kind."""
        return {one["metadata"]["name"] for one in self.of(kind)}

    @cached_property
    def pods(self) -> list[Pods]:
        """Everything that makes pods."""
        return [Pods(owner, _template(owner)) for owner in self.of(*TEMPLATED)]

    @property
    def roles(self) -> dict[str, Pods]:
        """The product's own Deployments."""
        return {
            pods.name: pods
            for pods in self.pods
            if pods.owner["kind"] == "Deployment"
            and pods.labels.get("app.kubernetes.io/name") == "inventory-sync"
        }

    def selected(self, selector: Object) -> list[Pods]:
        """Those whose pods a label selector takes."""
        return [pods for pods in self.pods if takes(selector, pods.labels)]

    def environment(self, container: Object) -> dict[str, str]:
        """What a container's process gets, secrets too."""
        found: dict[str, str] = {}
        for source in container.get("envFrom", []):
            if "configMapRef" in source:
                found |= self.one("ConfigMap", source["configMapRef"]["name"])["data"]
            else:
                secret = self.one("Secret", source["secretRef"]["name"])["data"]
                found |= {name: base64.b64decode(value).decode() for name, value in secret.items()}
        return found | {entry["name"]: entry.get("value", "secret") for entry in container.get("env", [])}


def takes(selector: Object, labels: Mapping[str, str]) -> bool:
    """Whether a label selector takes these labels; knows matchLabels and In."""
    for key, value in selector.get("matchLabels", {}).items():
        if labels.get(key) != value:
            return False
    for expression in selector.get("matchExpressions", []):
        assert expression["operator"] == "In", expression
        if labels.get(expression["key"]) not in expression["values"]:
            return False
    return True


def references(found: Any, *keys: str) -> Iterator[Any]:
    """Every value that stands under one of these keys, however deep."""
    if isinstance(found, dict):
        for key, value in found.items():
            if key in keys:
                yield value
            yield from references(value, *keys)
    elif isinstance(found, list):
        for value in found:
            yield from references(value, *keys)


def _template(owner: Object) -> Object:
    spec = owner["spec"]
    template: Object = (spec["jobTemplate"]["spec"] if owner["kind"] == "CronJob" else spec)["template"]
    return template
