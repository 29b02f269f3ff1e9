"""The audit log: the newest first, by who, what and since when, however long it is."""

from __future__ import annotations

from models.database import execute, row, rows
from tests.integration.panel.conftest import Person
from workers import audit


def entry(actor: str, action: str, hours: int = 0) -> None:
    """One entry of so many hours ago."""
    execute(
        "INSERT INTO rm_audit_log (at, actor_kind, actor, action, outcome)"
        " VALUES (now() - make_interval(hours => %s), 'user', %s, %s, 'done')",
        (hours, actor, action),
    )


def shown(person: Person, query: str = "") -> list[tuple[str, str]]:
    """Who and what, from the top."""
    page = person.text(f"/access/audit{query}").partition("<tbody>")[2].partition("</tbody>")[0]
    links = [part.partition("</a>")[0].rpartition(">")[2] for part in page.split("<a ")[1:]]
    return list(zip(links[::2], links[1::2], strict=False))


def test_it_tells_who_did_what_the_newest_first_and_filters_by_each(admin: Person) -> None:
    entry("bob", "sites.change", hours=30)
    entry("bob", "settings.change", hours=20)
    execute("UPDATE rm_audit_log SET id = id + 100 WHERE actor = 'admin'")
    entry("eve", "settings.change")
    execute("UPDATE rm_audit_log SET id = 1000 WHERE actor = 'eve'")

    assert shown(admin) == [
        ("eve", "settings: change"),
        ("admin", "sign in: enter"),
        ("bob", "settings: change"),
        ("bob", "sites: change"),
    ]
    assert shown(admin, "?actor=bob") == [("bob", "settings: change"), ("bob", "sites: change")]
    assert shown(admin, "?action=settings.change") == [
        ("eve", "settings: change"),
        ("bob", "settings: change"),
    ]
    assert shown(admin, "?actor=bob&since=24h") == [("bob", "settings: change")]
    assert shown(admin, "?actor=bob&action=sites.change&since=24h") == []
    assert "Nothing like that" in admin.text("/access/audit?actor=nobody+at+all")


def test_what_is_in_no_form_filters_nothing(admin: Person) -> None:
    assert len(shown(admin, "?since=yesterdayish")) == 1
    assert admin.get("/access/audit?cursor=!!").status_code == 422


def test_its_pages_follow_each_other_without_gap_or_repeat(admin: Person) -> None:
    execute(
        "INSERT INTO rm_audit_log (actor_kind, actor, action, outcome)"
        " SELECT 'cli', 'root', 'n' || n, 'done' FROM generate_series(1, 120) n"
    )
    seen: list[str] = []
    query = "?actor=root"
    while True:
        page = admin.text(f"/access/audit{query}")
        seen += [action for _, action in shown(admin, query)]
        if 'rel="next"' not in page:
            break
        query = (
            "?" + page.partition('rel="next"')[0].rpartition('href="')[2].partition('"')[0].partition("?")[2]
        )

    assert seen == [f"n{number}" for number in range(120, 0, -1)]


def test_the_filter_offers_every_action_that_there_is(admin: Person) -> None:
    for action in ("b", "a", "b", "c"):
        entry("bob", action)

    assert audit.actions() == ["a", "b", "c", "sign_in.enter"]


def test_what_somebody_wrote_into_a_name_is_no_html(admin: Person) -> None:
    entry("<script>alert(1)</script>", "sign_in.enter")

    answer = admin.get("/access/audit").get_data(as_text=True)

    assert "<script>alert" not in answer
    assert "&lt;script&gt;alert" in answer


def test_of_a_long_log_little_is_read_whatever_the_filters(admin: Person) -> None:
    execute(
        "INSERT INTO rm_audit_log (at, actor_kind, actor, action, outcome)"
        " SELECT now() - (100000 - n) * interval '1 minute', 'token', 'p' || n %% 3, 'a' || n %% 3, 'done'"
        " FROM generate_series(1, 100000) n"
    )
    execute("ANALYZE rm_audit_log")
    never_meet = "?actor=p1&action=a2"
    for filters in ("", "?actor=p1", "?action=a1", never_meet, "?since=1h", "?actor=gone&since=30d"):
        before = rows_read()
        assert admin.get(f"/access/audit{filters}").status_code == 200
        assert rows_read() - before < 1000, filters
    assert len(shown(admin, "?since=1h")) == 50


def rows_read() -> int:
    """How many rows of the log have been read so far."""
    rows("SELECT pg_stat_force_next_flush()")
    found = row("SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_user_tables WHERE relname = 'rm_audit_log'")
    assert found is not None
    return int(found[0])
