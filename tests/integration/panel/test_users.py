"""People: added, given a role or a password, shut out; and one's own account."""

from __future__ import annotations

import html
from collections.abc import Callable

import pytest
from werkzeug.test import TestResponse

from models.database import row, rows
from tests.integration.panel.conftest import PASSWORD, Person
from workers import sign_in, users

NEW_PASSWORD = "another long password"
Visit = Callable[[], Person]


def text(answer: TestResponse) -> str:
    """A page's HTML as a person reads it."""
    return html.unescape(answer.get_data(as_text=True))


def add(person: Person, **fields: str) -> TestResponse:
    """Send the form that adds a person."""
    person.get("/access/users/new")
    given = {"name": "anna", "role": "viewer", "password": NEW_PASSWORD, "again": NEW_PASSWORD, **fields}
    return person.post("/access/users/new", **given)


def test_a_person_who_was_added_can_sign_in_under_their_role(admin: Person, visit: Visit) -> None:
    assert add(admin).status_code == 303
    assert "anna may sign in as viewer." in admin.text("/access")

    anna = visit()
    assert anna.sign_in("anna", NEW_PASSWORD).status_code == 303
    assert anna.get("/access").status_code == 403
    assert NEW_PASSWORD not in str(rows("SELECT * FROM rm_audit_log"))


@pytest.mark.parametrize(
    ("wrong", "field", "message"),
    [
        ({"name": " "}, "name", "must not be empty"),
        ({"role": "emperor"}, "role", "must be 'viewer', 'operator' or 'admin'"),
        ({"password": "short", "again": "short"}, "password", "must have 12 to 500 characters"),
        ({"again": "not the same at all"}, "again", "is not the same password as above"),
        ({"name": "ADMIN"}, "name", "there is a user named ADMIN already"),
    ],
)
def test_what_is_wrong_stands_under_its_field_and_nobody_is_added(
    admin: Person, wrong: dict[str, str], field: str, message: str
) -> None:
    answer = add(admin, **wrong)

    assert answer.status_code in (409, 422)
    under = text(answer).partition(f'id="h-{field}"')[2].partition("</p>")[0]
    assert message in under
    assert NEW_PASSWORD not in text(answer)
    assert rows("SELECT name FROM rm_users") == [("admin",)]


def test_the_form_is_shown_alone_where_the_dialog_asks_for_it(admin: Person) -> None:
    answer = admin.get("/access/users/new", headers={"HX-Request": "true", "HX-Target": "dialog"})

    assert text(answer).lstrip().startswith("<form")
    assert "<html" not in text(answer)


def test_people_are_listed_a_page_at_a_time(admin: Person) -> None:
    for number in range(51):
        users.create(f"p{number:02}", "viewer", PASSWORD) if number == 0 else _copy(f"p{number:02}")

    first = admin.text("/access")
    following = first.partition('rel="next"')[0].rpartition('href="')[2].partition('"')[0]
    second = admin.text(following)

    assert ("p48<" in first, "p50<" in first) == (True, False)
    assert ("p48<" in second, "p50<" in second) == (False, True)


def _copy(name: str) -> None:
    rows(  # hashing fifty passwords would take seconds
        "INSERT INTO rm_users (name, password_hash, role) SELECT %s, password_hash, role"
        " FROM rm_users WHERE name = 'p00' RETURNING id",
        (name,),
    )


def test_a_new_role_holds_from_the_next_sign_in_on(admin: Person, viewer: Person) -> None:
    who = _id("viewer")
    assert "this one" not in admin.text(f"/access/users/{who}")

    admin.post(f"/access/users/{who}/role", role="operator")

    assert "viewer is operator from the next sign-in on." in admin.text(f"/access/users/{who}")
    assert viewer.get("/").status_code == 303


def test_the_last_admin_can_neither_step_down_nor_be_shut_out(admin: Person) -> None:
    me = _id("admin")
    admin.get(f"/access/users/{me}")

    for address, fields in (
        (f"/access/users/{me}/role", {"role": "viewer"}),
        (f"/access/users/{me}/deactivate", {}),
    ):
        assert admin.post(address, **fields).headers["Location"] == f"/access/users/{me}"
        assert "somebody must stay who is an admin and active" in admin.text(f"/access/users/{me}")
    assert row("SELECT role, active FROM rm_users") == ("admin", True)


def test_somebody_who_is_deactivated_is_out_at_once_and_may_be_let_in_again(
    admin: Person, viewer: Person
) -> None:
    who = _id("viewer")

    admin.post(f"/access/users/{who}/deactivate")
    assert viewer.get("/").status_code == 303
    assert viewer.sign_in("viewer").status_code == 422

    admin.post(f"/access/users/{who}/activate")
    assert viewer.sign_in("viewer").status_code == 303


def test_an_admin_sees_where_somebody_is_signed_in_and_ends_it(admin: Person, viewer: Person) -> None:
    who = _id("viewer")
    assert "127.0.0.1" in admin.text(f"/access/users/{who}")

    admin.post(f"/access/users/{who}/sign-out")

    assert viewer.get("/").status_code == 303
    assert "Nowhere" in admin.text(f"/access/users/{who}")


def test_a_password_that_an_admin_sets_replaces_the_old_one_and_ends_the_sessions(
    admin: Person, viewer: Person
) -> None:
    address = f"/access/users/{_id('viewer')}/password"
    admin.get(address)

    assert admin.post(address, password=NEW_PASSWORD, again="something else").status_code == 422
    assert viewer.get("/").status_code == 200
    assert admin.post(address, password=NEW_PASSWORD, again=NEW_PASSWORD).status_code == 303

    assert viewer.get("/").status_code == 303
    assert [viewer.sign_in("viewer", one).status_code for one in (PASSWORD, NEW_PASSWORD)] == [422, 303]


def test_a_person_that_does_not_exist_is_told_so(admin: Person) -> None:
    for path in ("", "/password"):
        answer = admin.get(f"/access/users/999{path}")
        assert answer.status_code == 404
        assert "There is no such user." in text(answer)
    assert admin.post("/access/users/999/deactivate").status_code == 404


def test_whoever_changes_their_own_password_stays_signed_in_here_alone(viewer: Person, visit: Visit) -> None:
    elsewhere = visit()
    elsewhere.sign_in("viewer")
    assert viewer.text("/account").count("127.0.0.1") == 2

    answer = viewer.post("/account", current=PASSWORD, password=NEW_PASSWORD, again=NEW_PASSWORD)

    assert answer.status_code == 303
    assert "Your password is changed" in viewer.text("/account")
    assert elsewhere.get("/").status_code == 303
    assert elsewhere.sign_in("viewer", NEW_PASSWORD).status_code == 303


@pytest.mark.parametrize(
    ("wrong", "field"),
    [({"current": "not my password"}, "current"), ({"password": "short", "again": "short"}, "password")],
)
def test_a_password_of_one_s_own_is_not_changed_by_a_guess_or_to_a_poor_one(
    viewer: Person, wrong: dict[str, str], field: str
) -> None:
    viewer.get("/account")

    answer = viewer.post(
        "/account", **{"current": PASSWORD, "password": NEW_PASSWORD, "again": NEW_PASSWORD, **wrong}
    )

    assert answer.status_code == 422
    assert 'class="error"' in text(answer).partition(f'id="h-{field}"')[2].partition("</p>")[0]
    assert viewer.get("/").status_code == 200
    assert users.verify("viewer", PASSWORD) is not None


def test_guessing_the_password_at_an_open_browser_is_as_slow_as_at_the_sign_in(viewer: Person) -> None:
    viewer.get("/account")
    guess = {"current": "guess guess guess", "password": NEW_PASSWORD, "again": NEW_PASSWORD}
    for _ in range(sign_in.FREE_FAILURES):
        assert viewer.post("/account", **guess).status_code == 422

    assert viewer.post("/account", **{**guess, "current": PASSWORD}).status_code == 429
    assert users.verify("viewer", PASSWORD) is not None


def test_everybody_signs_themself_out_everywhere_from_their_account(viewer: Person) -> None:
    assert 'action="/sign-out/everywhere"' in viewer.text("/account")


def _id(name: str) -> int:
    found = row("SELECT id FROM rm_users WHERE name = %s", (name,))
    assert found is not None
    return int(found[0])
