"""`python -m tests.manifests.build_image`: really build the image, and run every role from it as a pod would.

Needs Linux, root, buildah, debootstrap, util-linux, kubectl, a checkout with `make install` done, and the archives of
Debian's and Python's packages. No container engine and no registry of images: the base is made by debootstrap and
tagged with the name that the Dockerfile asks for. It is no part of CI: it takes some ten minutes the first time.

What it holds: both targets build; each role of k8s/overlays/demo starts with the command and the settings that are
written there, as process 1 and user 10001, with nothing to write to but /tmp and /dev/shm; the probes are content;
two shops are synced right; at SIGTERM each role ends by itself with code 0.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from tests.fleet import eventually
from tests.manifests.cluster import K8S, ROOT, Cluster, Pods, kustomize
from tests.manifests.container import UID, Container, Image
from tests.servers import Servers
from tests.simulators.handles import BigCommerceHandle, ShopHandle, WooCommerceHandle

BASE = "localhost/python:3.11-slim-bookworm"  # the Dockerfile's short name is looked for here first
PRODUCT, SIMULATORS = "inventory-sync:demo", "inventory-sync-simulators:demo"
WORK = Path("/var/tmp/inventory-sync-image")
SUITE = "bookworm"
INCLUDED = "python3,python3-venv,ca-certificates"
ROLES = ("web", "webhook", "worker-webhooks", "worker-sync", "dispatcher", "scheduler")
PORTS = {role: 18_100 + number for number, role in enumerate(ROLES)}
CERTIFICATES = Path("etc/ssl/certs/ca-certificates.crt")


class Builder:
    """buildah with a store of its own."""

    def __init__(self, work: Path) -> None:
        self._work = work
        store = work / "store"
        self._buildah = (
            "buildah",
            "--root",
            store / "root",
            "--runroot",
            store / "run",
            "--storage-driver",
            "vfs",
        )

    def run(self, *words: str | Path) -> str:
        """One command of buildah's; its standard output. Raises CalledProcessError."""
        command = [str(word) for word in (*self._buildah, *words)]
        return subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.PIPE, text=True).stdout.strip()

    def make_base(self) -> None:
        """A Debian with Python, by the name of the real base."""
        folder = self._work / "base"
        if not (folder / "usr/bin/python3").exists():
            shutil.rmtree(folder, ignore_errors=True)
            options = ("--variant=minbase", f"--include={INCLUDED}")
            subprocess.run(
                ["debootstrap", *options, SUITE, str(folder)], check=True, stdout=subprocess.DEVNULL
            )
        for package in (folder / "var/cache/apt/archives").glob("*.deb"):
            package.unlink()
        for name in ("python", "python3"):
            link = folder / "usr/local/bin" / name
            if not link.is_symlink():
                link.symlink_to("/usr/bin/python3")
        # This machine's way to the packages: its certificates, and pip's settings where it has some.
        shutil.copy(Path("/") / CERTIFICATES, folder / CERTIFICATES)
        if Path("/etc/pip.conf").exists():
            shutil.copy("/etc/pip.conf", folder / "etc/pip.conf")
        container = self.run("from", "scratch")
        self.run("add", "--quiet", container, folder, "/")
        self.run(
            "config", "--env", "PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin", container
        )
        self.run("commit", "--quiet", "--rm", container, BASE)

    def build(self, name: str, *options: str) -> None:
        """Build a target."""
        given = ("--isolation", "chroot", "--pull-never", "--layers=false", "--quiet")
        self.run("bud", *given, *options, "--tag", name, ".")

    def image(self, name: str) -> Image:
        """The files and the settings of what was built."""
        config = json.loads(self.run("inspect", "--type", "image", name))["OCIv1"]["config"]
        return Image(Path(self.run("mount", self.run("from", "--pull-never", name))), config)

    def size(self, name: str) -> float:
        """In MiB, unpacked."""
        (found,) = json.loads(self.run("images", "--json", name))
        number, unit = found["size"].split()
        return float(number) * {"KB": 1e3, "MB": 1e6, "GB": 1e9}[unit] / 2**20

    def clean(self) -> None:
        """Remove containers and images."""
        self.run("rm", "--all")
        self.run("rmi", "--all", "--force")


def main() -> None:
    """Build, run, and say how it went; leaves with 1 where something is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.manifests.build_image", description=__doc__)
    parser.add_argument("--work", type=Path, default=WORK, help="kept for the next run")
    parser.add_argument("--keep", action="store_true", help="leave the images there")
    parser.add_argument("--reuse", action="store_true", help="build nothing: run what --keep has left")
    chosen = parser.parse_args()
    check_tools()
    chosen.work.mkdir(parents=True, exist_ok=True)
    builder = Builder(chosen.work)
    try:
        if not chosen.reuse:
            build(builder)
        product = builder.image(PRODUCT)
        look_inside(product)
        run_everything(product, builder.image(SIMULATORS))
        say("all right")
    finally:
        if not chosen.keep:
            builder.clean()


def build(builder: Builder) -> None:
    """The base, then both targets."""
    began = time.monotonic()
    builder.make_base()
    say(f"base: {builder.size(BASE):.0f} MiB, after {time.monotonic() - began:.0f} s")
    builder.build(PRODUCT)
    builder.build(SIMULATORS, "--target", "simulators")
    size = builder.size(PRODUCT)
    say(
        f"image: {size:.0f} MiB, {size - builder.size(BASE):.0f} MiB of it ours; {time.monotonic() - began:.0f} s"
    )


def check_tools() -> None:
    """Leave with what is missing."""
    missing = [
        tool for tool in ("buildah", "debootstrap", "unshare", "nsenter", "kubectl") if not shutil.which(tool)
    ]
    if missing or os.geteuid() != 0:
        sys.exit(f"missing: {', '.join(missing) or 'root'} (apt-get install buildah debootstrap; see --help)")


def look_inside(product: Image) -> None:
    """What is shipped can't be written to, and holds neither tools nor tests."""
    assert product.user == f"{UID}:{UID}", product.user
    for words, expected in (
        (("id", "-u"), str(UID)),
        (("sh", "-c", "touch /opt/x /opt/venv/x /home/x 2>/dev/null || echo refused"), "refused"),
        (("sh", "-c", "command -v pip pip3 gcc cc make git || echo none"), "none"),
        (("python", "-c", "import tests"), "ModuleNotFoundError: No module named 'tests'"),
        (("sh", "-c", "find / -xdev -name __pycache__ -newer /tmp 2>/dev/null | wc -l"), "0"),
        (("inventory-sync", "--help"), "Commands:"),
    ):
        said = Container("look", product, words, {}).output()
        assert expected in said, (words, said)


def run_everything(product: Image, simulators: Image) -> None:
    """The demo overlay's pods, on servers of this machine instead of the cluster's."""
    cluster = Cluster(kustomize(K8S / "overlays" / "demo"))
    with Servers() as servers, ExitStack() as stack:
        # What only a cluster has other addresses for. Pods here share one network, so each takes other ports.
        elsewhere = {
            "DATABASE_URL": servers.new_database(migrated=False),
            "REDIS_URL": servers.new_redis(),
            "SIMULATORS_HOST": "127.0.0.1",
        }
        vendors = start(stack, cluster, simulators, "simulators", elsewhere)
        pods = {role: start(stack, cluster, product, role, elsewhere, init=True) for role in ROLES}
        time.sleep(3)
        assert all(pod.runs for pod in pods.values()), "init containers wait for the migrations"
        (job,) = [found.name for found in cluster.pods if found.name.startswith("migrations-")]
        say(start(stack, cluster, product, job, elsewhere).output().strip().replace("\n", ", "))
        for role, pod in pods.items():
            assert pod.ended(60) == 0, (role, pod.log())
            pods[role] = start(stack, cluster, product, role, elsewhere)
        for role, pod in pods.items():
            probes_are_content(cluster.roles[role], pod)
        say(start(stack, cluster, simulators, "enrol-simulators", elsewhere).output().strip())
        shops_are_right(vendors)
        for role, pod in pods.items():
            pod.term()
            code = pod.ended(cluster.roles[role].spec["terminationGracePeriodSeconds"])
            say(f"{role}: {pod.footprint}; ended with {code} in {pod.seconds_to_end:.1f} s")
            assert code == 0, pod.log()


def start(
    stack: ExitStack,
    cluster: Cluster,
    image: Image,
    name: str,
    elsewhere: dict[str, str],
    *,
    init: bool = False,
) -> Container:
    """One container of the overlay, by the words and the settings that stand there."""
    (pods,) = [found for found in cluster.pods if found.name == name]
    given = (pods.spec["initContainers"] if init else pods.spec["containers"])[0]
    values = {**cluster.environment(given), **elsewhere}
    if name in PORTS:
        values |= dict.fromkeys(("PORT", "WEBHOOK_PORT", "METRICS_PORT"), str(PORTS[name]))
    words = [expanded(word, values) for word in given["command"]]
    words = [word.replace("http://simulators:", "http://127.0.0.1:") for word in words]
    return stack.enter_context(Container(name, image, words, values))


def expanded(word: str, values: dict[str, str]) -> str:
    """As the kubelet does it."""
    for name, value in values.items():
        word = word.replace(f"$({name})", value)
    return word


def probes_are_content(pods: Pods, pod: Container) -> None:
    """Start-up first, as the kubelet; then the others."""
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        found = pods.app.get(probe)
        if found is None:
            continue
        if "httpGet" in found:
            address = f"http://127.0.0.1:{PORTS[pods.name]}{found['httpGet']['path']}"
            until(partial(pod.answers, address), address, pod)
        else:
            words = found["exec"]["command"]
            until(partial(pod.is_content, words), str(words), pod)


def until(check: Callable[[], bool], what: str, pod: Container) -> None:
    """Wait; fails with the container's log."""
    try:
        eventually(check, seconds=60, what=what)
    except AssertionError as error:
        raise AssertionError(f"{error}; {pod.name} has said:\n{pod.log()}") from None


def shops_are_right(vendors: Container) -> None:
    """Both first syncs are through, and every SKU shows what it should."""
    world = vendors.asked("http://127.0.0.1:9001/__control__/world")
    shops: list[ShopHandle] = [BigCommerceHandle(one) for one in world["bigcommerce"]]
    shops += [WooCommerceHandle(one, "") for one in world["woocommerce"]]
    for shop in shops:
        eventually(partial(is_right, shop), seconds=120, every=1, what=shop.name)
        found = shop.wait_until_landed()
        assert found.correct, (shop.name, found.wrong_rows)
        assert shop.violations() == {}, shop.name
        say(f"{shop.name}: {found.right} SKUs right")


def is_right(shop: ShopHandle) -> bool:
    """Whether every SKU shows what it should."""
    return shop.compare().correct


def say(sentence: str) -> None:
    """To whoever watches."""
    sys.stdout.write(sentence + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
