"""A site that is deleted: unknown to everybody at once, while its rows go batch by batch, whatever is killed."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from api.app import create_app
from models.database import execute, row, rows
from models.site import Site
from tests import deliveries
from tests.fleet import Fleet, eventually
from tests.integration.api.bodies import company, refused, woocommerce
from tests.integration.api.conftest import Caller
from tests.places import delete_what_leaves
from tests.receivers import receiving
from workers import companies, item_sync, leaving, ledger, maintenance, sites
from workers.errors import UnknownRecord
from workers.forms import parse
from workers.full_sync.requests import UnknownSite, request_sync
from workers.jobs import NewJob, Work
from workers.site_forms import NewSite

MANY = 20_000
OTHERS = 3  # items of the shop that stays


@pytest.fixture
def client(database: str) -> FlaskClient:
    return create_app().test_client()


@pytest.fixture
def shops(database: str) -> tuple[Site, Site]:
    """One to delete, and one that stays."""
    owner = companies.create(parse(companies.NewCompany, company()))
    made = []
    for name in ("Outlet", "Main shop"):
        body = woocommerce(owner.id, name=name, url=f"https://{name[0].lower()}.example.com", active=False)
        made.append(sites.create(parse(NewSite, body), requested_by="test"))
    execute("UPDATE rm_sites SET active = true")
    return made[0], made[1]


def fill(site: Site, number: int) -> None:
    """Items, deliveries, jobs and zeroings of a site."""
    execute(
        "INSERT INTO rm_items (site_id, product_id, sku, sku_full_key, sku_key, tracking, observed_at)"
        " SELECT %s, n, 'A', 'A', 'A', 'product', now() FROM generate_series(1, %s) n",
        (site.id, number),
    )
    for statement in (
        "INSERT INTO rm_webhook_log (site_id) SELECT {site} FROM generate_series(1, {number})",
        "INSERT INTO rm_queue (kind, queue, priority, site_id) SELECT 'x', 'sync', 50, {site}"
        " FROM generate_series(1, {number})",
        "INSERT INTO rm_zeroings (site_id, item_id) SELECT {site}, 1 FROM generate_series(1, {number})",
    ):
        execute(statement.format(site=site.id, number=number))


def left(site: Site) -> list[int]:
    """How many rows of each table a site still has."""
    return [
        rows(f"SELECT count(*) FROM {table} WHERE site_id = %s", (site.id,))[0][0] for table in leaving.TABLES
    ]


def test_a_deleted_site_is_unknown_at_once_and_its_name_and_shop_are_free(
    client: FlaskClient, shops: tuple[Site, Site]
) -> None:
    gone, stays = shops
    fill(gone, OTHERS)
    admin = Caller(client, "admin")
    run = request_sync(gone.id, requested_by="test").run_id

    assert admin.delete(f"sites/{gone.id}").status_code == 204

    assert row("SELECT status, error FROM rm_sync_runs WHERE id = %s", (run,)) == (
        "cancelled",
        "cancelled by the deletion of its site",
    )
    for method, path in (
        ("GET", f"sites/{gone.id}"),
        ("PATCH", f"sites/{gone.id}"),
        ("DELETE", f"sites/{gone.id}"),
        ("POST", f"inventory/sync/{gone.id}"),
        ("GET", f"sites/{gone.id}/webhooks"),
    ):
        change = {"json": {"active": True}} if method == "PATCH" else {}
        assert refused(admin(method, path, **change), 404, "unknown_site"), path
    assert [one["id"] for one in admin.get("sites").get_json()["items"]] == [stays.id]
    (item,) = rows("SELECT min(id) FROM rm_items WHERE site_id = %s", (gone.id,))
    with pytest.raises(UnknownRecord):
        item_sync.request_item_sync(item[0], requested_by="test")
    with pytest.raises(UnknownSite):
        request_sync(gone.id, requested_by="test")
    body, headers = deliveries.delivery(gone, 205)
    with receiving() as app:
        answer = app.test_client().post(deliveries.path(gone), data=body, headers=headers)
    assert refused(answer, 404, "unknown_site")
    assert left(gone)[0] == OTHERS, "all that while its rows are still there"

    again = woocommerce(gone.company_id, name=gone.name, url=gone.url)
    assert admin.post("sites", again).status_code == 201


def test_the_job_takes_all_that_is_the_sites_own_and_nothing_else(
    shops: tuple[Site, Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    gone, stays = shops
    monkeypatch.setattr(leaving, "BATCH_ROWS", 1000)
    fill(gone, 2500)
    fill(stays, OTHERS)
    execute("INSERT INTO rm_audit_log (actor_kind, actor, action) VALUES ('user', 'anna', 'sites.delete')")

    sites.delete(gone.id)
    delete_what_leaves()

    assert rows("SELECT id FROM rm_sites") == [(stays.id,)]
    assert (left(gone), left(stays)) == ([0] * 4, [OTHERS] * 4)
    assert rows("SELECT status, result FROM rm_queue WHERE kind = %s", (leaving.KIND,)) == [
        ("completed", {"items": 2500, "zeroings": 2500, "webhook_log": 2500, "queue": 2500})
    ]
    assert rows("SELECT count(*) FROM rm_audit_log") == [(1,)], "who did what stays known"


def test_a_worker_that_is_killed_between_two_batches_leaves_the_rest_to_the_next(
    environment: dict[str, str], shops: tuple[Site, Site]
) -> None:
    gone, stays = shops
    fill(gone, MANY)
    fill(stays, OTHERS)
    execute(
        "CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN PERFORM pg_sleep(1); RETURN NULL; END'"
    )
    execute("CREATE TRIGGER slowly AFTER DELETE ON rm_items EXECUTE FUNCTION slowly()")
    sites.delete(gone.id)

    with Fleet({**environment, "JOB_LEASE_SECONDS": "3"}) as fleet:
        eventually(lambda: 0 < left(gone)[0] < MANY, seconds=60, every=0.02, what="the first batch")
        fleet.kill("worker-sync")
        execute("DROP TRIGGER slowly ON rm_items")
        some = left(gone)[0]
        assert 0 < some < MANY
        assert left(gone)[1:] == [MANY] * 3
        fleet.start("worker-sync")
        eventually(
            lambda: len(rows("SELECT 1 FROM rm_sites")) == 1, seconds=60, what="the end of the deletion"
        )
        job = "SELECT status, attempts > 1 FROM rm_queue WHERE kind = %s"
        eventually(lambda: rows(job, (leaving.KIND,)) == [("completed", True)], seconds=30, what="its job")

    assert (left(gone), left(stays)) == ([0] * 4, [OTHERS] * 4)


def test_the_clean_up_begins_anew_with_a_site_whose_job_is_lost(shops: tuple[Site, Site]) -> None:
    gone, stays = shops
    fill(gone, OTHERS)
    sites.delete(gone.id)
    assert leaving.forgotten() == [], "its job waits"
    execute("UPDATE rm_queue SET status = 'failed', finished_at = now() WHERE kind = %s", (leaving.KIND,))

    with ledger.committing():
        (job_id,) = ledger.insert([NewJob("maintenance.cleanup")])
    claim = ledger.claim(job_id)
    assert claim is not None
    ledger.complete(claim, maintenance.clean_up(Work(claim)))
    delete_what_leaves()

    assert rows("SELECT id FROM rm_sites") == [(stays.id,)]
