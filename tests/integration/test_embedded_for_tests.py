"""The servers that the tests themselves stand on."""

from pathlib import Path

import redis

from tests.integration.embedded_help import execute, first_line, kill, lives, python, until
from tests.servers import Servers


def test_each_test_has_a_migrated_database_and_an_empty_redis_of_its_own() -> None:
    calls: list[str] = []

    def migrate(url: str) -> None:
        calls.append(url)
        execute(url, "CREATE TABLE things (name text)")

    with Servers(migrate) as servers:
        one, other = servers.new_database(), servers.new_database()
        execute(one, "INSERT INTO things VALUES ('mine')")
        assert execute(other, "SELECT * FROM things") == []
        assert len(calls) == 1
        assert execute(servers.new_database(migrated=False), "SELECT to_regclass('things')") == [(None,)]
        with redis.Redis.from_url(servers.new_redis()) as client:
            client.set("mine", "1")
        with redis.Redis.from_url(servers.new_redis()) as client:
            assert client.dbsize() == 0
        folder, pids = servers.runtime.data_dir.parent, servers.runtime.pids.values()
    assert not any(lives(pid) for pid in pids)
    assert not folder.exists()


def test_nothing_is_left_of_them_when_the_test_run_is_killed() -> None:
    process = python(
        "from tests.servers import Servers\n"
        "runtime = Servers().start().runtime\n"
        "print(runtime.data_dir, *runtime.pids.values(), flush=True); input()\n"
    )
    folder, *pids = first_line(process).split()
    kill(process.pid)
    until(lambda: not any(lives(int(pid)) for pid in pids) and not Path(folder).parent.exists())
