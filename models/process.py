"""rm_processes: the processes that work without being asked over HTTP, and when each was last seen."""

from __future__ import annotations

from datetime import datetime

from peewee import IntegerField, TextField, UUIDField

from models.database import Table
from models.fields import json_field, now_field


class Process(Table):
    """A process. role: worker, dispatcher or scheduler. queues: what a worker works on. threads: how many jobs
    it does at once; null where it does none.

    id: made at its start; a process that ends properly takes its row away, one that is killed leaves it behind.
    """

    id = UUIDField(primary_key=True)
    role = TextField()
    queues: list[str] = json_field(default=list)
    host = TextField()
    pid = IntegerField()
    version = TextField()
    threads = IntegerField(null=True)
    started_at: datetime = now_field()
    seen_at: datetime = now_field()

    class Meta:
        table_name = "rm_processes"
