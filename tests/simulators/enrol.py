"""`python -m tests.simulators.enrol URL`: adds the simulators that answer at URL as company and sites, once.

For k8s/overlays/demo, beside the product: it types the commands that an operator would.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from typing import Any

COMPANY = "Simulated company"
TRIES = 120  # of a second each: they may still be starting


def world(url: str) -> dict[str, Any]:
    """What they say of themselves. Raises the last try's OSError."""
    for attempt in range(TRIES):
        try:
            with urllib.request.urlopen(f"{url}/__control__/world", timeout=10) as answer:
                found: dict[str, Any] = json.load(answer)
                return found
        except urllib.error.URLError:
            if attempt == TRIES - 1:
                raise
            time.sleep(1)
    raise AssertionError("unreachable")


def run(*arguments: str) -> str:
    """One command of the product; its standard output."""
    done = subprocess.run(["inventory-sync", *arguments], check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout


def options(fields: dict[str, Any]) -> list[str]:
    """`--name value` of each field."""
    return [word for name, value in fields.items() for word in (f"--{name.replace('_', '-')}", str(value))]


def company(bc: dict[str, Any]) -> None:
    """Add it."""
    names = ("tenant_id", "environment", "company_id", "client_id", "client_secret", "api_url", "token_url")
    run("company", "add", "--name", COMPANY, *options({name: bc[name] for name in names}))


def bigcommerce(shop: dict[str, Any]) -> None:
    """Add one store."""
    names = ("store_hash", "access_token", "api_url")
    fields = {name: shop[name] for name in names} | {"webhook_secret": shop["client_secret"]}
    channels = [word for channel in shop["channel_ids"] for word in ("--channel-id", str(channel))]
    site(shop["name"], "bigcommerce", *options(fields), *channels)


def woocommerce(shop: dict[str, Any]) -> None:
    """Add one shop."""
    names = ("url", "consumer_key", "consumer_secret")
    site(shop["name"], "woocommerce", *options({name: shop[name] for name in names}))


def site(name: str, platform: str, *more: str) -> None:
    """Add one site, active: its first full sync starts."""
    run("site", "add", "--name", name, "--platform", platform, "--company", COMPANY, *more)


def main(url: str) -> None:
    """Add what isn't there yet."""
    found = world(url)
    if COMPANY not in {one["name"] for one in json.loads(run("company", "list", "--json"))}:
        company(found["bc"])
    there = {one["name"] for one in json.loads(run("site", "list", "--json"))}
    for shop in found["bigcommerce"]:
        if shop["name"] not in there:
            bigcommerce(shop)
    for shop in found["woocommerce"]:
        if shop["name"] not in there:
            woocommerce(shop)
    sys.stdout.write(run("site", "list"))


if __name__ == "__main__":
    main(sys.argv[1])
