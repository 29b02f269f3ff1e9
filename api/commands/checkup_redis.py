"""What `inventory-sync doctor` says of Redis: it answers, is new enough, forgets nothing and has room."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

import redis

from api.commands.finding import Finding
from models.config import settings

OLDEST = {"Redis": 7, "Valkey": 8}
TIMEOUT_SECONDS = 5
NEARLY_FULL = 0.9  # of maxmemory: beyond it Redis refuses to write


def check_redis() -> Iterator[Finding]:
    """Redis answers, evicts nothing and keeps what it holds over a restart."""
    url = settings().redis_url
    assert url is not None  # the settings of a process that works have both URLs
    try:
        with redis.Redis.from_url(
            url, socket_timeout=TIMEOUT_SECONDS, socket_connect_timeout=TIMEOUT_SECONDS
        ) as client:
            info = cast("dict[str, Any]", client.info())  # no PING: that is refused where the disk is full
            yield _version(info)
            yield from _settings(client)
            yield from _writing(info)
            yield _room(info)
    except redis.RedisError as error:
        yield Finding("redis", "unreachable", str(error), "start Redis, or correct REDIS_URL")


def _version(info: Mapping[str, Any]) -> Finding:
    name = "Valkey" if "valkey_version" in info else "Redis"
    found = str(info.get("valkey_version") or info["redis_version"])
    if int(found.partition(".")[0]) < OLDEST[name]:
        fix = " or ".join(f"{other} {oldest}" for other, oldest in OLDEST.items())
        return Finding("redis", "problem", f"{name} {found} is too old", f"use {fix}, or newer")
    return Finding("redis", "ok", f"{name} {found} answers")


def _settings(client: redis.Redis) -> Iterator[Finding]:
    try:
        found = cast("dict[str, str]", client.config_get("maxmemory-policy", "appendonly"))
    except redis.ResponseError:
        yield Finding(
            "redis settings",
            "warning",
            "this server doesn't show its settings",
            "see in its console that maxmemory-policy is noeviction and append-only persistence is on",
        )
        return
    policy = found.get("maxmemory-policy", "")
    if policy == "noeviction":
        yield Finding("redis memory", "ok", "maxmemory-policy is noeviction")
    else:
        fix = "set maxmemory-policy noeviction: a full Redis would drop limits and hints unseen"
        yield Finding("redis memory", "problem", f"maxmemory-policy is {policy}", fix)
    if found.get("appendonly") == "yes":
        yield Finding("redis persistence", "ok", "append-only file is on")
    else:
        fix = "set appendonly yes; without it a restart costs half of the vendors' quota for a few minutes"
        yield Finding("redis persistence", "warning", "append-only file is off", fix)


def _writing(info: Mapping[str, Any]) -> Iterator[Finding]:
    # A Redis that can't write to its disk refuses all that would change something.
    if info.get("aof_last_write_status", "ok") != "ok":
        fix = "make room on its disk: until then work goes on slowly, by PostgreSQL"
        yield Finding("redis persistence", "problem", "the append-only file can't be written", fix)


def _room(info: Mapping[str, Any]) -> Finding:
    used, most = int(info["used_memory"]), int(info.get("maxmemory", 0))
    said = f"{used / 2**20:.0f} MiB are used" + (f" of {most / 2**20:.0f}" if most else "")
    if most and used > most * NEARLY_FULL:
        fix = (
            "raise maxmemory: a full Redis refuses hints and limits; work then goes on slowly, by PostgreSQL"
        )
        return Finding("redis room", "problem", said, fix)
    return Finding("redis room", "ok", said)
