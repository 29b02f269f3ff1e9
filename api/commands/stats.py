"""`inventory-sync stats`: work and syncs at a glance."""

from __future__ import annotations

import click

from api.commands.servers import with_database
from api.commands.shared import json_option, print_json, print_table
from api.rest.inventory import stats as rest_stats
from models.database import session
from models.site import Site


@click.command()
@json_option
@with_database
def stats(as_json: bool) -> None:
    """Show how much work there is, and when each site was last synced; as JSON just like the API."""
    found = rest_stats().model_dump(mode="json")
    if as_json:
        print_json(found)
        return
    queue = found["queue"]
    print_table(list(queue), [list(queue.values())], empty="")
    click.echo()
    ends = {int(end["site_id"]): end["last_sync"] for end in found["last_syncs"]}
    with session():
        rows = [(site.id, site.name, ends.get(site.id, "never")) for site in Site.known().order_by(Site.id)]
    print_table(("id", "site", "last sync (UTC)"), rows, empty="no site yet: see `inventory-sync site add`")
