"""Signing in: the first user, wrong passwords that slow the next try, cookies, and signing out everywhere."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask

from models import config
from models.database import execute, row, rows
from tests.integration.panel.conftest import PASSWORD, Person
from workers import sign_in, users
from workers.errors import Conflict, InvalidFields

Visit = Callable[[], Person]


def test_where_nobody_can_sign_in_yet_the_page_says_how_to_make_the_first_user(visit: Visit) -> None:
    page = visit().text("/sign-in")

    assert "inventory-sync user create --name you --role admin" in page
    assert 'type="password"' not in page


def test_a_wrong_password_and_an_unknown_name_read_the_same(visit: Visit, admin: Person) -> None:
    wrong, unknown = visit().sign_in("admin", "not this one at all"), visit().sign_in("nobody", PASSWORD)

    assert wrong.status_code == unknown.status_code == 422
    for answer in (wrong, unknown):
        assert "This name and password don" in answer.get_data(as_text=True)


def test_the_case_of_a_name_does_not_matter(visit: Visit, admin: Person) -> None:
    assert visit().sign_in("ADMIN").status_code == 303
    with pytest.raises(Conflict, match="already"):
        users.create("Admin", "viewer", PASSWORD)


def test_after_a_few_failures_the_next_try_must_wait_even_with_the_right_password(
    visit: Visit, admin: Person
) -> None:
    person = visit()
    for _ in range(sign_in.FREE_FAILURES):
        assert person.sign_in("admin", "guess guess guess").status_code == 422

    assert person.sign_in("admin").status_code == 429
    execute("UPDATE rm_sign_in_failures SET at = at - make_interval(secs => %s)", (sign_in.FIRST_WAIT + 1,))
    assert person.sign_in("admin").status_code == 303
    assert rows("SELECT 1 FROM rm_sign_in_failures") == []


def test_each_failure_doubles_the_wait_up_to_a_bound(database: str) -> None:
    execute(
        "INSERT INTO rm_sign_in_failures (name, address) SELECT 'anna', '10.0.0.1' FROM generate_series(1, %s)",
        (sign_in.FREE_FAILURES + 3,),
    )
    with pytest.raises(sign_in.TooManyFailures) as told:
        sign_in.sign_in("Anna", "whatever it is", address="10.0.0.1")
    assert sign_in.FIRST_WAIT * 8 - 2 < told.value.seconds <= sign_in.FIRST_WAIT * 8

    execute(
        "INSERT INTO rm_sign_in_failures (name, address) SELECT 'anna', '10.0.0.1' FROM generate_series(1, 60)"
    )
    with pytest.raises(sign_in.TooManyFailures) as told:
        sign_in.sign_in("Anna", "whatever it is", address="10.0.0.1")
    assert told.value.seconds <= sign_in.LONGEST_WAIT


def test_one_address_cannot_lock_a_person_out_of_another(visit: Visit, admin: Person) -> None:
    execute(
        "INSERT INTO rm_sign_in_failures (name, address) SELECT 'admin', '203.0.113.9' FROM generate_series(1, 40)"
    )

    assert visit().sign_in("admin").status_code == 303


def test_the_password_is_stored_as_a_slow_hash_and_the_session_as_a_hash(admin: Person) -> None:
    stored = row("SELECT password_hash FROM rm_users")
    assert stored is not None
    assert stored[0].startswith("scrypt:")
    assert PASSWORD not in str(rows("SELECT * FROM rm_users, rm_sessions, rm_audit_log"))


@pytest.mark.parametrize(("password", "fine"), [("x" * 11, False), ("x" * 12, True), ("x" * 501, False)])
def test_a_password_has_a_length(database: str, password: str, fine: bool) -> None:
    if fine:
        assert users.create("anna", "viewer", password).name == "anna"
    else:
        with pytest.raises(InvalidFields) as told:
            users.create("anna", "viewer", password)
        assert [error.field for error in told.value.errors] == ["password"]
        assert password not in str(told.value.errors)


def test_signing_out_ends_the_session_for_good(admin: Person) -> None:
    cookie = admin.client.get_cookie("inventory-sync")
    assert cookie is not None

    assert admin.post("/sign-out").status_code == 303

    admin.client.set_cookie("inventory-sync", cookie.value)  # somebody who had copied it
    assert admin.get("/").status_code == 303


def test_signing_out_everywhere_ends_every_session(visit: Visit, admin: Person) -> None:
    elsewhere = visit()
    elsewhere.sign_in("admin")
    assert elsewhere.get("/").status_code == 200

    admin.post("/sign-out/everywhere")

    assert [person.get("/").status_code for person in (admin, elsewhere)] == [303, 303]


def test_a_session_ends_where_it_was_not_used_for_long_or_its_user_was_shut_out(
    admin: Person, viewer: Person
) -> None:
    execute("UPDATE rm_sessions SET last_seen_at = now() - interval '8 days'")
    assert admin.get("/").status_code == 303

    execute("UPDATE rm_sessions SET last_seen_at = now()")
    assert viewer.get("/").status_code == 200
    found = row("SELECT id FROM rm_users WHERE name = 'viewer'")
    assert found is not None
    users.change(found[0], {"active": False})
    assert viewer.get("/").status_code == 303


def test_a_new_password_signs_its_person_out_everywhere(admin: Person) -> None:
    found = row("SELECT id FROM rm_users WHERE name = 'admin'")
    assert found is not None

    users.change(found[0], {"password": "another long password"})

    assert admin.get("/").status_code == 303
    assert admin.sign_in("admin", "another long password").status_code == 303


def test_the_last_admin_cannot_be_taken_away(admin: Person) -> None:
    found = row("SELECT id FROM rm_users WHERE name = 'admin'")
    assert found is not None
    for change in ({"role": "viewer"}, {"active": False}):
        with pytest.raises(Conflict, match="somebody must stay"):
            users.change(found[0], dict(change))
    assert admin.get("/").status_code == 200


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites_and_over_https_is_sent_by_https_only(
    app: Flask, admin: Person
) -> None:
    person = Person(app.test_client())
    person.client.get("/sign-in")
    plain = person.sign_in("admin").headers["Set-Cookie"]
    assert "HttpOnly" in plain
    assert "SameSite=Lax" in plain

    answer = app.test_client().get("/sign-in", base_url="https://panel.example")
    secure = answer.headers["Set-Cookie"]
    assert secure.startswith("__Host-inventory-sync=")
    assert "Secure" in secure


def test_over_plain_http_from_elsewhere_no_password_is_taken_unless_an_admin_allows_it(
    app: Flask, admin: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    def enter() -> int:
        person = Person(app.test_client())
        person.get("/sign-in", base_url="http://panel.example")
        return person.client.post(
            "/sign-in",
            data={"csrf_token": person.token, "name": "admin", "password": PASSWORD},
            base_url="http://panel.example",
        ).status_code

    assert enter() == 403
    monkeypatch.setenv("ALLOW_PLAIN_HTTP", "true")
    config.settings.cache_clear()
    assert enter() == 303


def test_every_sign_in_and_every_failure_is_in_the_audit_log(visit: Visit, admin: Person) -> None:
    visit().sign_in("admin", "not this one at all")

    assert rows("SELECT action, actor, outcome FROM rm_audit_log ORDER BY id") == [
        ("sign_in.enter", "admin", "done"),
        ("sign_in.enter", "admin", "refused"),
    ]
