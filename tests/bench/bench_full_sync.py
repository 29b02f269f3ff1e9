"""A full sync of each platform, from nothing to every SKU right, on this machine: `make bench`."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from tests.servers import temporary_folder

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("skus", [5_000, 20_000, 50_000])
@pytest.mark.parametrize("platform", ["bigcommerce", "woocommerce"])
def bench_full_sync(platform: str, skus: int) -> None:
    """Measured by the demo, whose report has the run's own figures."""
    other = "woocommerce" if platform == "bigcommerce" else "bigcommerce"
    place = temporary_folder("inventory-sync-bench-")
    try:
        done = subprocess.run(
            [
                *(sys.executable, "-m", "api.cli", "demo", "--exit", "--data-dir", str(place / "demo")),
                *(f"--{platform}-skus", str(skus), f"--{other}", "0"),
            ],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        shutil.rmtree(place, ignore_errors=True)
    assert done.returncode == 0, done.stdout + done.stderr
    figures = dict(re.findall(r"^([a-z ]+?) +([\d.,]+)$", done.stdout, re.MULTILINE))
    click.echo(
        f"{platform}, {skus:,} SKUs: {figures['seconds']} s, {figures['pushed']} pushed, "
        f"{figures['calls made']} calls where {figures['fewest possible']} are the fewest possible"
    )
