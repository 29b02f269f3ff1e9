"""Roles run as the Procfile says, closed in as the restricted level demands, and are probed and ended fittingly."""

from __future__ import annotations

import re
import shlex
from typing import Any

import pytest

from api import gunicorn_conf, procfile, supervisor
from models.config import Settings
from tests.manifests.cluster import Cluster, Pods
from workers.handing_back import MARGIN_SECONDS

WEB = ("web", "webhook")
TURNING = ("worker-webhooks", "worker-sync", "dispatcher", "scheduler")
UID = 10001
PROBES = ("startupProbe", "livenessProbe", "readinessProbe")


def test_the_procfile_and_the_deployments_have_the_same_roles(cluster: Cluster) -> None:
    assert set(cluster.roles) == set(procfile.load())


@pytest.mark.parametrize("role", procfile.load())
def test_a_deployment_runs_what_the_procfile_says(role: str, cluster: Cluster) -> None:
    """Word by word, so that no shell stands between the kubelet's SIGTERM and the program."""
    container = cluster.roles[role].app

    words = [re.sub(r"\$(\w+)", r"$(\1)", word) for word in shlex.split(procfile.load()[role])]
    assert container["command"] == words
    assert "args" not in container


@pytest.mark.parametrize("role", procfile.load())
def test_every_variable_of_a_command_is_set(role: str, cluster: Cluster) -> None:
    """Kubernetes leaves $(NAME) as it is where it knows no NAME."""
    container = cluster.roles[role].app
    used = set(re.findall(r"\$\((\w+)\)", " ".join(container["command"])))

    assert used <= set(cluster.environment(container))


@pytest.mark.parametrize("role", WEB)
def test_a_web_server_listens_where_its_port_is(role: str, cluster: Cluster) -> None:
    pods = cluster.roles[role]
    environment = cluster.environment(pods.app)
    address = pods.app["command"][pods.app["command"].index("--bind") + 1]

    assert expanded(address, environment) == f"0.0.0.0:{pods.ports['http']}"


@pytest.mark.parametrize("role", TURNING)
def test_what_has_no_web_server_has_a_port_for_metrics(role: str, cluster: Cluster) -> None:
    pods = cluster.roles[role]

    assert str(pods.ports["metrics"]) == cluster.environment(pods.app)["METRICS_PORT"]


def test_every_setting_that_is_set_exists(cluster: Cluster) -> None:
    known = {name.upper() for name in Settings.model_fields} | {
        "HOST",
        "PORT",
        "WEBHOOK_PORT",
        "POSTGRES_PASSWORD",
    }

    for pods in cluster.roles.values():
        assert set(cluster.environment(pods.app)) <= known


def test_one_proxy_is_trusted_and_logs_are_json(cluster: Cluster) -> None:
    for pods in cluster.roles.values():
        environment = cluster.environment(pods.app)

        assert (environment["TRUSTED_PROXIES"], environment["LOG_FORMAT"]) == ("1", "json")


def test_every_container_is_closed_in(cluster: Cluster) -> None:
    for pods in cluster.pods:
        assert pods.spec["securityContext"]["runAsNonRoot"] is True, pods.name
        assert pods.spec["securityContext"]["runAsUser"] > 0, pods.name
        assert pods.spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, pods.name
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pods.spec), pods.name
        for container in pods.containers:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, (pods.name, container["name"])


def test_our_own_image_runs_as_the_user_it_was_built_for(cluster: Cluster) -> None:
    own = [pods for pods in cluster.pods if "inventory-sync" in pods.app["image"]]

    assert len(own) >= len(cluster.roles) + 1
    for pods in own:
        assert pods.spec["securityContext"]["runAsUser"] == UID
        assert pods.spec["securityContext"]["runAsGroup"] == UID
        for container in pods.containers:
            assert {mount["mountPath"] for mount in container["volumeMounts"]} == {"/tmp"}


def test_every_container_has_requests_and_limits(cluster: Cluster) -> None:
    for pods in cluster.pods:
        for container in pods.containers:
            for kind in ("requests", "limits"):
                assert set(container["resources"][kind]) == {"cpu", "memory"}, (pods.name, container["name"])


def test_no_image_is_the_latest(cluster: Cluster, built: dict[str, Cluster]) -> None:
    for pods in cluster.pods:
        for container in pods.containers:
            assert not container["image"].endswith(":latest")
            assert ":" in container["image"] or cluster is built["base"], container["image"]


@pytest.mark.parametrize("role", WEB)
def test_web_servers_are_probed_over_http(role: str, cluster: Cluster) -> None:
    container = cluster.roles[role].app

    assert container["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "http"}
    assert container["startupProbe"]["httpGet"] == {"path": "/healthz", "port": "http"}
    assert "httpGet" in container["readinessProbe"]


def test_web_gets_requests_only_with_postgresql_and_receivers_without_it_too(cluster: Cluster) -> None:
    """A receiver without PostgreSQL answers 503 and owes the shop a sync; an ingress would owe nothing."""
    paths = {role: cluster.roles[role].app["readinessProbe"]["httpGet"]["path"] for role in WEB}

    assert paths == {"web": "/readyz", "webhook": "/healthz"}


@pytest.mark.parametrize("role", TURNING)
def test_what_turns_is_probed_by_its_file(role: str, cluster: Cluster) -> None:
    container = cluster.roles[role].app
    file = cluster.environment(container)["ALIVE_FILE"]

    for probe in ("startupProbe", "livenessProbe"):
        command = container[probe]["exec"]["command"]
        assert command[:4] == ["python", "-m", "workers.alive", "--seconds"]
        assert float(command[4]) > (60 if role == "scheduler" else 10)  # it turns once a minute
    assert any(file.startswith(mount["mountPath"] + "/") for mount in container["volumeMounts"])
    assert "readinessProbe" not in container  # nobody sends to it


def test_only_probes_that_ask_nobody_else_can_restart_a_role(cluster: Cluster) -> None:
    for pods in cluster.roles.values():
        for probe in ("startupProbe", "livenessProbe"):
            assert "readyz" not in str(pods.app[probe])


def test_every_long_running_container_has_its_probes(cluster: Cluster) -> None:
    for pods in cluster.pods:
        if pods.owner["kind"] in ("Deployment", "StatefulSet"):
            assert {"startupProbe", "livenessProbe"} <= set(pods.app), pods.name


@pytest.mark.parametrize("role", ["worker-webhooks", "worker-sync"])
def test_a_worker_that_ends_has_the_time_for_it(role: str, cluster: Cluster) -> None:
    """One write to a shop < what dramatiq waits for its threads < the pod's grace, and the supervisor's."""
    words = shlex.split(procfile.load()[role])
    shutdown = int(words[words.index("--worker-shutdown-timeout") + 1]) / 1000
    write = Settings.model_fields["write_deadline_seconds"].default

    assert write + MARGIN_SECONDS + 2 < shutdown
    assert shutdown + 10 <= grace(cluster.roles[role])
    assert shutdown < supervisor.GRACE_SECONDS


@pytest.mark.parametrize("role", WEB)
def test_a_web_server_that_ends_is_sent_nothing_more_and_answers_what_it_has(
    role: str, cluster: Cluster
) -> None:
    pods = cluster.roles[role]
    command = pods.app["lifecycle"]["preStop"]["exec"]["command"]

    assert command[0] == "sleep"
    assert int(command[1]) + gunicorn_conf.graceful_timeout + 10 <= grace(pods)


def test_a_rollout_takes_no_pod_away_before_another_is_there(cluster: Cluster) -> None:
    for name, pods in cluster.roles.items():
        strategy = pods.owner["spec"]["strategy"]
        if name == "scheduler":
            assert strategy == {"type": "Recreate"}
        else:
            assert strategy["rollingUpdate"]["maxUnavailable"] == 0


def test_new_code_waits_for_its_tables(cluster: Cluster) -> None:
    (job,) = [pods for pods in cluster.pods if pods.name.startswith("migrations-")]

    assert job.app["command"] == ["inventory-sync", "migrate"]
    for pods in cluster.roles.values():
        (init,) = pods.spec["initContainers"]
        assert init["command"] == ["inventory-sync", "migrate", "--wait"]
        assert init["image"] == pods.app["image"] == job.app["image"]


@pytest.mark.parametrize("overlay", ["demo", "production"])
def test_each_version_has_a_migrations_job_of_its_own(overlay: str, built: dict[str, Cluster]) -> None:
    """A Job can't be changed: under one name, the second version could not be applied."""
    cluster = built[overlay]
    tag = cluster.roles["web"].app["image"].rpartition(":")[2]

    assert f"migrations-{tag}" in cluster.names("Job")


def grace(pods: Pods) -> int:
    """Seconds from SIGTERM (or preStop) to SIGKILL."""
    found: int = pods.spec["terminationGracePeriodSeconds"]
    return found


def expanded(word: str, environment: dict[str, Any]) -> str:
    """As the kubelet does it."""
    return re.sub(r"\$\((\w+)\)", lambda match: str(environment[match[1]]), word)
