"""The linters have nothing to say about the Dockerfile, the YAML and the shell scripts."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.manifests.cluster import K8S, ROOT

BIN = Path(sys.executable).parent
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def said(*command: str | Path) -> str:
    """What a command says where it is not content; nothing where it is."""
    done = subprocess.run(
        [str(word) for word in command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr or f"{command[0]} failed"


def test_hadolint_is_content() -> None:
    assert said(BIN / "hadolint", "--failure-threshold", "style", "Dockerfile") == ""


def test_yamllint_is_content() -> None:
    assert said(BIN / "yamllint", "--strict", K8S) == ""


@pytest.mark.parametrize("script", sorted(K8S.rglob("*.sh")), ids=lambda path: path.name)
def test_shell_scripts_can_be_read_by_a_shell(script: Path) -> None:
    assert said("sh", "-n", script) == ""


def test_the_last_stage_is_the_product_alone() -> None:
    """What no target is named for is shipped: no build tools, no tests."""
    stages = re.findall(r"^FROM (\S+) AS (\S+)$", DOCKERFILE, re.MULTILINE)
    sources = {name: source for source, name in stages}
    shipped = stages[-1][1]
    chain = [shipped]
    while sources[chain[-1]] in sources:
        chain.append(sources[chain[-1]])
    texts = {part.split("\n")[0].split()[-1]: part for part in re.split(r"(?m)^(?=FROM )", DOCKERFILE)[1:]}
    text = "".join(texts[name] for name in chain)

    assert shipped == "runtime"
    assert "build" not in chain
    assert "simulators" not in chain
    assert "tests" not in text
    assert "pip install" not in text


def test_everything_that_is_copied_is_let_through_and_nothing_secret_is() -> None:
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {
        word
        for line in re.findall(r"^COPY (?!--from)(.*)$", DOCKERFILE, re.MULTILINE)
        for word in line.split()[:-1]
    }

    assert copied == allowed
    assert (ROOT / ".dockerignore").read_text().count("\n*\n") == 1


def test_no_secret_of_an_operator_can_be_committed() -> None:
    found = subprocess.run(
        ["git", "check-ignore", "k8s/overlays/production/secrets.env"], cwd=ROOT, check=False, env=os.environ
    )

    assert found.returncode == 0
