"""A large installation, written straight into PostgreSQL: what a panel must be quick over."""

from __future__ import annotations

import os

from models.database import db, session

SITES = int(os.environ.get("BENCH_SITES", "500"))
ITEMS = int(os.environ.get("BENCH_ITEMS", "1000000"))
JOBS = int(os.environ.get("BENCH_JOBS", "1000000"))
RUNS = 20_000
DELIVERIES = 300_000
PUSHES = 300_000

_STATEMENTS = (
    """
    INSERT INTO rm_companies (name, tenant_id, environment, company_id, client_id, api_url, token_url)
    SELECT 'company ' || n, 'tenant', 'Production', n::text, 'app', 'http://127.0.0.1:1', 'http://127.0.0.1:1'
    FROM generate_series(1, 5) AS n
    """,
    f"""
    INSERT INTO rm_sites (name, platform, company_id, store_key, store_hash, url, last_synced_at)
    SELECT 'site-' || n, CASE n % 2 WHEN 0 THEN 'bigcommerce' ELSE 'woocommerce' END, 1 + n % 5, 'store:' || n,
           CASE n % 2 WHEN 0 THEN 'hash' || n END, CASE n % 2 WHEN 1 THEN 'https://shop-' || n || '.example' END,
           now() - make_interval(mins => n)
    FROM generate_series(1, {SITES}) AS n
    """,
    f"""
    INSERT INTO rm_items (site_id, product_id, sku, sku_full_key, sku_key, name, tracking, shown, wanted, agreed,
                          bc_quantity, safety_stock, observed_at, stock_read_at, skip_reason, failure, drift_since)
    SELECT 1 + n % {SITES}, n, 'SKU-' || n, 'SKU-' || n, 'SKU-' || n,
           (ARRAY['Blue', 'Red', 'Green', 'Plain', 'Large'])[1 + n % 5] || ' shirt ' || n, 'product',
           n % 40, CASE WHEN n % 50 = 0 THEN NULL ELSE n % 40 END, n % 40, n % 40, 0, now(), now(),
           CASE WHEN n % 50 = 0 THEN (ARRAY['unknown', 'untracked', 'ambiguous'])[1 + n % 3] END,
           CASE WHEN n % 5000 = 1 THEN 'the shop refuses it' END, CASE WHEN n % 1000 = 3 THEN now() END
    FROM generate_series(1, {ITEMS}) AS n
    """,
    """
    INSERT INTO rm_stock (company_id, number, key, quantity, type, name, read_started_at)
    SELECT c, 'SKU-' || n, 'SKU-' || n, n % 40, 'Inventory', 'shirt ' || n, now()
    FROM generate_series(1, 5) AS c, generate_series(1, 50000) AS n
    """,
    f"""
    INSERT INTO rm_sync_runs (site_id, status, step, requested_by, started_at, finished_at, pushed, unchanged,
                              skipped, failed, error, created_at)
    SELECT 1 + n % {SITES}, CASE WHEN n % 40 = 0 THEN 'failed' ELSE 'completed' END, 'finish', 'schedule full_sync',
           now() - make_interval(mins => {RUNS} - n), now() - make_interval(mins => {RUNS} - n - 1), 10, 1990,
           '{{"unknown": 13, "untracked": 14}}', '{{}}', CASE WHEN n % 40 = 0 THEN 'the shop could not be read' END,
           now() - make_interval(mins => {RUNS} - n)
    FROM generate_series(1, {RUNS}) AS n
    """,
    f"""
    INSERT INTO rm_queue (queue, kind, status, site_id, run_id, step, attempts, started_at, finished_at, error,
                          created_at, available_at)
    SELECT CASE n % 4 WHEN 0 THEN 'webhooks' ELSE 'sync' END,
           CASE n % 4 WHEN 0 THEN 'webhook.product' WHEN 1 THEN 'sync.push' ELSE 'sync.list' END,
           CASE WHEN n > {JOBS} - 500 THEN 'pending' WHEN n > {JOBS} - 520 THEN 'processing'
                WHEN n % 500 = 0 THEN 'failed' ELSE 'completed' END,
           1 + n % {SITES}, CASE WHEN n % 4 > 0 THEN 1 + n % {RUNS} END, CASE WHEN n % 4 > 0 THEN 'list' END, 1,
           at, CASE WHEN n <= {JOBS} - 520 THEN at END, CASE WHEN n % 500 = 0 THEN 'BigCommerce: 500' END, at, at
    FROM (SELECT n, now() - make_interval(secs => ({JOBS} - n) * 1.2) AS at
          FROM generate_series(1, {JOBS}) AS n) numbered
    """,
    f"""
    INSERT INTO rm_pushes (job_id, item_id, run_id, wanted, shown_before, outcome, sent_at, decided_at)
    SELECT {JOBS} / 2 + n * 4 % ({JOBS} / 2 - 1000), 1 + (n * 7) % {ITEMS}, 1 + n % {RUNS}, n % 40, n % 30, 'pushed',
           now(), now()
    FROM generate_series(1, {PUSHES}) AS n ON CONFLICT DO NOTHING
    """,
    f"""
    INSERT INTO rm_webhook_log (site_id, event_type, status, received_at, attempts, product_id, error_message)
    SELECT 1 + n % {SITES}, 'product.updated',
           CASE WHEN n % 300 = 0 THEN 'failed' WHEN n % 301 = 0 THEN 'rejected' ELSE 'completed' END,
           now() - make_interval(secs => {DELIVERIES} - n), 1, n,
           CASE WHEN n % 300 = 0 THEN 'the shop answered 500' END
    FROM generate_series(1, {DELIVERIES}) AS n
    """,
    """
    INSERT INTO rm_audit_log (at, actor_kind, actor, action, subject, outcome)
    SELECT now() - make_interval(mins => 100000 - n), 'user', CASE n % 9 WHEN 0 THEN 'anna' ELSE 'bert' END,
           'sites.sync', 'site ' || n, 'done'
    FROM generate_series(1, 100000) AS n
    """,
    """
    INSERT INTO rm_queue_minutes (minute, completed, failed, oldest_seconds)
    SELECT date_trunc('minute', now()) - make_interval(mins => n), 50, 1, n % 7 FROM generate_series(1, 10000) AS n
    """,
    """
    INSERT INTO rm_alerts (kind, subject, site_id, sentence)
    SELECT 'run_failed', 'site:' || n, n, 'The sync of site-' || n || ' failed: the shop could not be read'
    FROM generate_series(1, 30) AS n
    """,
    "INSERT INTO rm_api_tokens (name, token_hash, scope) SELECT 't' || n, md5(n::text), 'read'"
    " FROM generate_series(1, 50) AS n",
)


def grow() -> None:
    """Fill this test's database, look at every table as autovacuum would, and count what is kept."""
    from workers import figures

    with session():
        db.execute_sql("SET statement_timeout = 0")
        for statement in _STATEMENTS:
            db.execute_sql(statement.replace("%", "%%"))
        db.execute_sql("VACUUM ANALYZE")
        while figures.keep() > 0:
            pass
