"""What one object says of another holds: names, labels, ports, accounts."""

from __future__ import annotations

import pytest

from tests.manifests.cluster import Cluster, Object, Pods, references, takes

LABEL = "app.kubernetes.io/component"


def test_every_service_finds_pods_that_have_its_ports(cluster: Cluster) -> None:
    for service in cluster.of("Service"):
        pods = cluster.selected({"matchLabels": service["spec"]["selector"]})
        for port in service["spec"]["ports"]:
            assert any(port["targetPort"] in found.ports for found in pods), (
                service["metadata"]["name"],
                port,
            )


def test_a_role_s_service_finds_no_other_role(cluster: Cluster) -> None:
    for name in ("web", "webhook"):
        selector = cluster.one("Service", name)["spec"]["selector"]

        assert [pods.name for pods in cluster.selected({"matchLabels": selector})] == [name]


def test_every_deployment_s_selector_takes_its_own_pods_alone(cluster: Cluster) -> None:
    for pods in cluster.pods:
        if "selector" in pods.owner["spec"]:
            assert [found.name for found in cluster.selected(pods.owner["spec"]["selector"])] == [pods.name]


def test_every_role_has_a_disruption_budget_that_lets_nodes_be_drained(cluster: Cluster) -> None:
    covered = []
    for budget in cluster.of("PodDisruptionBudget"):
        (pods,) = cluster.selected(budget["spec"]["selector"])
        covered.append(pods.name)
        assert budget["spec"]["maxUnavailable"] == 1
        assert "minAvailable" not in budget["spec"]

    assert sorted(covered) == sorted(cluster.roles)


def test_scalers_find_their_deployments_and_only_one_scales_each(cluster: Cluster) -> None:
    targets = [scaler["spec"]["scaleTargetRef"]["name"] for scaler in scalers(cluster)]

    assert len(targets) == len(set(targets))
    assert set(targets) <= set(cluster.roles)


def test_what_is_scaled_has_no_fixed_number_of_replicas(whole: Cluster) -> None:
    """The next apply would undo what kubectl scale, HPA or KEDA did."""
    scaled = {scaler["spec"]["scaleTargetRef"]["name"] for scaler in scalers(whole)}

    assert scaled == {"web", "webhook", "worker-webhooks", "worker-sync"}
    assert scaled == {name for name, pods in whole.roles.items() if "replicas" not in pods.owner["spec"]}


def test_every_network_policy_takes_pods_that_have_its_ports(cluster: Cluster) -> None:
    for policy in cluster.of("NetworkPolicy"):
        pods = cluster.selected(policy["spec"]["podSelector"])
        assert pods, policy["metadata"]["name"]
        for rule in policy["spec"].get("ingress", []):
            for port in rule["ports"]:
                assert port["port"] in set().union(*(found.ports for found in pods)), policy["metadata"][
                    "name"
                ]


def test_nothing_flows_that_is_not_named(cluster: Cluster) -> None:
    denial = cluster.one("NetworkPolicy", "deny-all")["spec"]

    assert denial == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    for policy in cluster.of("NetworkPolicy"):
        for rule in (*policy["spec"].get("ingress", []), *policy["spec"].get("egress", [])):
            assert rule["ports"], policy["metadata"]["name"]
        for rule in policy["spec"].get("ingress", []):
            assert rule["from"], policy["metadata"]["name"]


@pytest.mark.parametrize(
    ("role", "ports"),
    [
        ("web", {53, 443, 465, 587, 5432, 6379}),
        ("webhook", {53, 5432, 6379}),
        ("worker-webhooks", {53, 443, 465, 587, 5432, 6379}),
        ("worker-sync", {53, 443, 465, 587, 5432, 6379}),
        ("dispatcher", {53, 5432, 6379}),
        ("scheduler", {53, 5432, 6379}),
        ("backup", {53, 5432}),
    ],
)
def test_each_role_reaches_what_it_needs_and_no_more(role: str, ports: set[int], whole: Cluster) -> None:
    (pods,) = [found for found in whole.pods if found.name == role]

    assert egress(whole, pods) == ports


def test_migrations_reach_postgresql_and_no_more(cluster: Cluster) -> None:
    (pods,) = [found for found in cluster.pods if found.name.startswith("migrations-")]

    assert egress(cluster, pods) == {53, 5432}


def test_in_the_demo_everything_that_is_called_lets_itself_be_called(built: dict[str, Cluster]) -> None:
    demo = built["demo"]

    for name, callers in (
        ("postgresql", {*demo.roles, "migrations-demo", "enrol-simulators"}),
        ("valkey", {*demo.roles}),
        ("simulators", {"web", "worker-sync", "worker-webhooks", "enrol-simulators"}),
    ):
        (called,) = [pods for pods in demo.pods if pods.name == name]
        for pods in demo.pods:
            if pods.name in callers:
                assert set(called.ports.values()) <= egress(demo, pods), (pods.name, name)
                assert set(called.ports) <= ingress(demo, called, pods), (pods.name, name)


def test_the_ingress_leads_webhooks_to_the_receivers_and_all_else_to_web(cluster: Cluster) -> None:
    (found,) = cluster.of("Ingress")

    for rule in found["spec"]["rules"]:
        assert [(path["path"], path["backend"]["service"]) for path in rule["http"]["paths"]] == [
            ("/webhooks/", {"name": "webhook", "port": {"name": "http"}}),
            ("/", {"name": "web", "port": {"name": "http"}}),
        ]
        for path in rule["http"]["paths"]:
            service = cluster.one("Service", path["backend"]["service"]["name"])
            assert path["backend"]["service"]["port"]["name"] in {
                port["name"] for port in service["spec"]["ports"]
            }


def test_the_ingress_of_production_has_tls_for_its_hosts(built: dict[str, Cluster]) -> None:
    (found,) = built["production"].of("Ingress")

    assert {rule["host"] for rule in found["spec"]["rules"]} == {
        host for entry in found["spec"]["tls"] for host in entry["hosts"]
    }


def test_config_maps_secrets_and_claims_that_are_named_exist(cluster: Cluster) -> None:
    for pods in cluster.pods:
        for found in references(pods.spec, "configMapRef", "configMap", "configMapKeyRef"):
            assert found["name"] in cluster.names("ConfigMap"), pods.name
        for found in references(pods.spec, "secretRef", "secretKeyRef"):
            assert found["name"] in cluster.names("Secret"), pods.name
        for found in references(pods.spec, "secretKeyRef"):
            assert found["key"] in cluster.one("Secret", found["name"])["data"], pods.name
        for found in references(pods.spec, "persistentVolumeClaim"):
            assert found["claimName"] in cluster.names("PersistentVolumeClaim"), pods.name
    for foreign in cluster.of("TriggerAuthentication"):
        for found in foreign["spec"]["secretTargetRef"]:
            assert found["key"] in cluster.one("Secret", found["name"])["data"]
    for scaled in cluster.of("ScaledObject"):
        for trigger in scaled["spec"]["triggers"]:
            assert trigger["authenticationRef"]["name"] in cluster.names("TriggerAuthentication")


def test_no_secret_stands_in_a_config_map(cluster: Cluster) -> None:
    for found in cluster.of("ConfigMap"):
        assert not {"DATABASE_URL", "REDIS_URL", "SECRET_KEY", "ENCRYPTION_KEYS"} & set(found["data"])


def test_a_change_of_settings_or_secrets_rolls_the_pods(cluster: Cluster) -> None:
    """Their names carry a hash of what is in them."""
    for pods in cluster.roles.values():
        names = {found["name"] for found in references(pods.spec, "configMapRef", "secretRef")}

        assert {name.rpartition("-")[0] for name in names} == {"settings", "secrets"}


def test_volumes_that_are_mounted_exist(cluster: Cluster) -> None:
    for pods in cluster.pods:
        there = {volume["name"] for volume in pods.spec.get("volumes", [])}
        there |= {claim["metadata"]["name"] for claim in pods.owner["spec"].get("volumeClaimTemplates", [])}
        for container in pods.containers:
            assert {mount["name"] for mount in container.get("volumeMounts", [])} <= there, pods.name


def test_service_accounts_exist_and_give_no_token(cluster: Cluster) -> None:
    for account in cluster.of("ServiceAccount"):
        assert account["automountServiceAccountToken"] is False
    for pods in cluster.pods:
        assert pods.spec["serviceAccountName"] in cluster.names("ServiceAccount"), pods.name
        assert pods.spec["automountServiceAccountToken"] is False


def test_services_set_no_variables(cluster: Cluster) -> None:
    """The Service `webhook` would make WEBHOOK_PORT tcp://..., `metrics` METRICS_PORT."""
    for pods in cluster.pods:
        assert pods.spec["enableServiceLinks"] is False, pods.name


def test_prometheus_finds_every_role(whole: Cluster) -> None:
    (monitor,) = whole.of("ServiceMonitor")
    services = [found for found in whole.of("Service") if takes(monitor["spec"]["selector"], labels(found))]
    ports = {endpoint["port"] for endpoint in monitor["spec"]["endpoints"]}
    (policy,) = [one for one in whole.of("NetworkPolicy") if one["metadata"]["name"] == "prometheus-to-all"]

    for pods in whole.roles.values():
        found = {
            port["targetPort"]
            for service in services
            if takes({"matchLabels": service["spec"]["selector"]}, pods.labels)
            for port in service["spec"]["ports"]
            if port["name"] in ports and port["targetPort"] in pods.ports
        }
        assert len(found) == 1, pods.name
        assert found <= {port["port"] for port in policy["spec"]["ingress"][0]["ports"]}


def test_replicas_spread_over_zones_and_nodes(cluster: Cluster) -> None:
    for pods in cluster.roles.values():
        spread = pods.spec["topologySpreadConstraints"]

        assert {found["topologyKey"] for found in spread} == {
            "topology.kubernetes.io/zone",
            "kubernetes.io/hostname",
        }
        for found in spread:
            assert takes(found["labelSelector"], pods.labels)
            assert LABEL in found["matchLabelKeys"]


def scalers(cluster: Cluster) -> list[Object]:
    """Whatever sets a number of replicas."""
    return cluster.of("HorizontalPodAutoscaler", "ScaledObject")


def labels(found: Object) -> dict[str, str]:
    """Of an object itself."""
    return dict(found["metadata"].get("labels", {}))


def egress(cluster: Cluster, pods: Pods) -> set[int]:
    """The ports that a pod may call."""
    named = {name: number for found in cluster.pods for name, number in found.ports.items()}
    return {
        named.get(port["port"], port["port"])
        for policy in cluster.of("NetworkPolicy")
        if takes(policy["spec"]["podSelector"], pods.labels)
        for rule in policy["spec"].get("egress", [])
        for port in rule["ports"]
    }


def ingress(cluster: Cluster, called: Pods, caller: Pods) -> set[str]:
    """The ports on which a pod lets itself be called by another."""
    return {
        port["port"]
        for policy in cluster.of("NetworkPolicy")
        if takes(policy["spec"]["podSelector"], called.labels)
        for rule in policy["spec"].get("ingress", [])
        if any("podSelector" in peer and takes(peer["podSelector"], caller.labels) for peer in rule["from"])
        for port in rule["ports"]
    }
