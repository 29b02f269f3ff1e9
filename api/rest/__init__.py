"""The REST API: a file a noun."""

from __future__ import annotations

from collections.abc import Iterator

from flask_openapi3 import APIBlueprint


def blueprints() -> Iterator[APIBlueprint]:
    """All of its routes. Made anew for each app, since a blueprint mounted once can't be changed."""
    from api.rest import (
        alerts,
        companies,
        inventory,
        items,
        jobs,
        schedule,
        settings,
        sites,
        sync_runs,
        tokens,
        webhook_log,
    )

    for noun in (companies, sites, sync_runs, items, jobs, webhook_log, alerts, schedule, settings, tokens):
        yield noun.blueprint()
    for name, prefix in inventory.PREFIXES.items():
        yield inventory.blueprint(name, prefix)
