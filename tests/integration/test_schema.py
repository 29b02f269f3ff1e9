"""The models and the migrations tell the same story, however many pods migrate at once."""

from __future__ import annotations

import subprocess
import sys

import pytest
from peewee import Model

from models.access import ApiToken, User
from models.alert import Alert, Refusal
from models.company import Company
from models.database import rows, session
from models.guard import Zeroing
from models.item import Item
from models.job import Job, StoreLease
from models.migrate import migrate, pending
from models.process import Process
from models.schedule import Schedule, ScheduleLog, SiteScheduleLog
from models.setting import Setting
from models.site import Site
from models.stock import Stock, StockRefresh
from models.sync_run import Push, SyncPage, SyncRun
from models.webhook_log import WebhookLog, WebhookRejections
from tests.servers import Servers

MODELS = (
    Alert, Refusal, ApiToken, User, Company, Item, Job, StoreLease, Setting, Site,
    Schedule, ScheduleLog, SiteScheduleLog, Stock, StockRefresh, Push, SyncPage, SyncRun, WebhookLog,
    WebhookRejections, Zeroing, Process,
)  # fmt: skip
FAILED_WEBHOOKS = """SELECT id, site_id, event_type, error_message, received_at, attempts FROM rm_webhook_log WHERE status = 'failed' ORDER BY received_at DESC LIMIT 100;"""  # noqa: E501 - as operators type it


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_column_of_a_model_is_a_column_of_its_table(database: str, model: type[Model]) -> None:
    found = rows(
        "SELECT column_name, is_nullable = 'YES' FROM information_schema.columns WHERE table_name = %s",
        (model._meta.table_name,),
    )

    assert {field.column_name for field in model._meta.sorted_fields} == {name for name, _ in found}
    with session():
        assert model.select().count() == 0


def test_a_migrated_database_has_nothing_pending(database: str) -> None:
    assert pending() == []
    assert migrate() == []


def test_four_pods_that_migrate_at_once_apply_each_migration_once(
    servers: Servers, environment: dict[str, str]
) -> None:
    url = servers.new_database(migrated=False)
    code = "from models.migrate import migrate; import sys; print(len(migrate(sys.argv[1])))"
    pods = [
        subprocess.Popen([sys.executable, "-c", code, url], stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]

    applied = [int(pod.communicate(timeout=60)[0]) for pod in pods]

    assert [pod.returncode for pod in pods] == [0, 0, 0, 0]
    assert sorted(applied)[:3] == [0, 0, 0]
    assert max(applied) >= 1
    assert pending(url) == []


def test_the_query_for_failed_webhooks_that_operators_know_works_as_written(database: str) -> None:
    assert rows(FAILED_WEBHOOKS) == []
