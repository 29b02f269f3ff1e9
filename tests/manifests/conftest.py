"""Every kustomization is built once a run."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.manifests.cluster import OVERLAYS, Cluster, copied, kustomize

BASE = "base"
WHOLE = "-whole"  # an overlay with every component there is


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Cluster]:
    """Name of a kustomization -> what it makes."""
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl builds the kustomizations, and is not installed")
    k8s = copied(tmp_path_factory.mktemp("manifests"))
    folders = {BASE: k8s / BASE} | {name: k8s / "overlays" / name for name in names()}
    with ThreadPoolExecutor(2) as pool:
        return {
            name: Cluster(made) for name, made in zip(folders, pool.map(build, folders.values()), strict=True)
        }


def build(folder: Path) -> list[dict[str, object]]:
    """For the pool."""
    return kustomize(folder)


def names() -> list[str]:
    """Of all overlays, as they are and with every component."""
    return [*OVERLAYS, *(overlay + WHOLE for overlay in OVERLAYS)]


@pytest.fixture(params=[BASE, *names()])
def cluster(request: pytest.FixtureRequest, built: dict[str, Cluster]) -> Cluster:
    """Each kustomization in turn."""
    return built[request.param]


@pytest.fixture
def whole(built: dict[str, Cluster]) -> Cluster:
    """Production with every component."""
    return built["production" + WHOLE]
