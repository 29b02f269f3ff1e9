"""Companies and sites for tests, made from what the simulators say of themselves."""

from __future__ import annotations

from typing import Any

from models.company import Company
from models.database import rows, session
from models.site import BIGCOMMERCE, WOOCOMMERCE, Site
from models.sync_run import SyncRun
from tests.fleet import eventually
from tests.simulators.handles import BigCommerceHandle, BusinessCentralHandle, WooCommerceHandle
from workers import execute, leaving


def company(bc: BusinessCentralHandle, **changes: Any) -> Company:
    """A company row for a simulated Business Central."""
    fields = {
        "name": "Demo company",
        "tenant_id": bc.tenant_id,
        "environment": bc.environment,
        "company_id": bc.company_id,
        "client_id": bc.client_id,
        "client_secret": bc.client_secret,
        "api_url": bc.api_url,
        "token_url": bc.token_url,
    }
    with session():
        return Company.get_by_id(Company.create(**{**fields, **changes}).id)


def bigcommerce_site(owner: Company, shop: BigCommerceHandle, **changes: Any) -> Site:
    """A site row for a simulated BigCommerce store."""
    fields = {
        "name": f"BigCommerce {shop.store_hash}",
        "platform": BIGCOMMERCE,
        "company": owner.id,
        "store_key": f"bigcommerce:{shop.store_hash}",
        "store_hash": shop.store_hash,
        "api_url": shop.api_url,
        "access_token": shop.access_token,
    }
    with session():
        return Site.get_by_id(Site.create(**{**fields, **changes}).id)


def woocommerce_site(owner: Company, shop: WooCommerceHandle, **changes: Any) -> Site:
    """A site row for a simulated WooCommerce shop."""
    fields = {
        "name": f"WooCommerce {shop.url}",
        "platform": WOOCOMMERCE,
        "company": owner.id,
        "store_key": f"woocommerce:{shop.url}",
        "url": shop.url,
        "consumer_key": shop.consumer_key,
        "consumer_secret": shop.consumer_secret,
    }
    with session():
        return Site.get_by_id(Site.create(**{**fields, **changes}).id)


def run_of(run_id: int) -> SyncRun:
    """A run as it stands now."""
    with session():
        return SyncRun.get_by_id(run_id)


def wait_for_run(run_id: int, seconds: float = 60) -> SyncRun:
    """Wait until a run is over."""
    eventually(
        lambda: run_of(run_id).status not in ("queued", "running"),
        seconds=seconds,
        what=f"the end of run {run_id}",
    )
    return run_of(run_id)


def delete_what_leaves() -> None:
    """Do the jobs of the sites that are being deleted, and no others."""
    for (job_id,) in rows("SELECT id FROM rm_queue WHERE kind = %s AND status = 'pending'", (leaving.KIND,)):
        assert execute.execute(job_id)
