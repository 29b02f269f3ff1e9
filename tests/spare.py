"""Databases that a test has left as it found them, emptied for the next one: a copy costs a hundred times more.

Whatever is in doubt is not used again: a schema that was touched, somebody who is still connected, statistics of
a large table, a file that has grown.
"""

from __future__ import annotations

import time
from typing import Any

import psycopg2

LARGEST_BYTES = 6_000_000  # of all tables: what was deleted still takes its room
GOODBYE_SECONDS = 0.2  # a connection that was closed just now is gone by then
_EVERY = 0.01

# Tables, columns, indexes, constraints, triggers, functions, settings: as names, in one figure.
_SHAPE = """
    SELECT md5(concat(
        (SELECT string_agg(concat(relname, relkind, relfilenode = oid, reloptions, relhastriggers), ',' ORDER BY oid)
         FROM pg_class WHERE relnamespace = 'public'::regnamespace),
        (SELECT string_agg(concat(attrelid, attname, atttypid, attnotnull, atthasdef), ',' ORDER BY attrelid, attnum)
         FROM pg_attribute JOIN pg_class c ON c.oid = attrelid WHERE c.relnamespace = 'public'::regnamespace),
        (SELECT string_agg(concat(conname, pg_get_constraintdef(oid)), ',' ORDER BY oid)
         FROM pg_constraint WHERE connamespace = 'public'::regnamespace),
        (SELECT string_agg(concat(tgname, tgenabled), ',' ORDER BY oid) FROM pg_trigger WHERE NOT tgisinternal),
        (SELECT string_agg(concat(proname, prosrc), ',' ORDER BY oid)
         FROM pg_proc WHERE pronamespace = 'public'::regnamespace),
        (SELECT string_agg(setconfig::text, ',') FROM pg_db_role_setting
         WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())),
        (SELECT datconnlimit FROM pg_database WHERE datname = current_database())))
"""
_OTHERS = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
)
_ANALYSED = """
    SELECT count(*) FROM pg_statistic JOIN pg_class c ON c.oid = starelid
    WHERE c.relnamespace = 'public'::regnamespace
"""
_BYTES = """
    SELECT coalesce(sum(pg_relation_size(oid)), 0) FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
"""
_TABLES = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
# Not ALTER SEQUENCE, which gives it another file, and thus another shape. What is not emptied counts on.
_NUMBER_ANEW = """
    SELECT setval(format('%%I.%%I', schemaname, sequencename)::regclass, start_value, false)
    FROM pg_sequences WHERE schemaname = 'public' AND last_value IS NOT NULL
      AND format('%%I.%%I', schemaname, sequencename)::regclass NOT IN (
            SELECT d.objid FROM pg_depend d JOIN pg_class t ON t.oid = d.refobjid
            WHERE d.classid = 'pg_class'::regclass AND t.relname = ANY (%s))
"""


class Emptier:
    """Knows how a database of the tests looks before its test, and puts it back into that state."""

    def __init__(self) -> None:
        self._shape: Any = None
        self._given: dict[str, Any] = {}  # the tables that are not empty at first, by what is in them

    def learn(self, admin_url: str) -> None:
        """Look at a database that no test has used."""
        connection = psycopg2.connect(admin_url)
        try:
            with connection, connection.cursor() as cursor:
                self._shape = _one(cursor, _SHAPE)
                cursor.execute(_TABLES)
                for (table,) in cursor.fetchall():
                    content = _content(cursor, table)
                    if content is not None:
                        self._given[table] = content
        finally:
            connection.close()

    def empty(self, admin_url: str) -> bool:
        """Put a database back; False where it is not as it was, and is not to be used again."""
        connection = psycopg2.connect(admin_url)
        try:
            with connection, connection.cursor() as cursor:
                if not self._unchanged(cursor):
                    return False
                cursor.execute(_TABLES)
                tables = [table for (table,) in cursor.fetchall() if table not in self._given]
                cursor.execute(
                    "SET LOCAL session_replication_role = replica"
                )  # no foreign keys between empty tables
                cursor.execute("; ".join(f'DELETE FROM "{table}"' for table in tables))
                cursor.execute(_NUMBER_ANEW, (list(self._given),))
                return True
        finally:
            connection.close()

    def _unchanged(self, cursor: Any) -> bool:
        deadline = time.monotonic() + GOODBYE_SECONDS
        while _one(cursor, _OTHERS):
            if time.monotonic() > deadline:
                return False
            time.sleep(_EVERY)
            cursor.execute("SELECT pg_stat_clear_snapshot()")
        return (
            not _one(cursor, _ANALYSED)
            and _one(cursor, _BYTES) <= LARGEST_BYTES
            and _one(cursor, _SHAPE) == self._shape
            and all(_content(cursor, table) == content for table, content in self._given.items())
        )


def _one(cursor: Any, statement: str) -> Any:
    cursor.execute(statement)
    return cursor.fetchone()[0]


def _content(cursor: Any, table: str) -> Any:
    return _one(cursor, f'SELECT md5(string_agg(t::text, chr(10) ORDER BY t::text)) FROM "{table}" t')
