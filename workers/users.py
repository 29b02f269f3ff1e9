"""The people who sign in to the panel: made, given a role, given a password, shut out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import peewee
from pydantic import SecretStr
from werkzeug.security import check_password_hash, generate_password_hash

from models.access import ROLE_SCOPES, User
from models.database import execute, row, rows, session, transaction
from workers.errors import Conflict, FieldError, InvalidFields, UnknownRecord
from workers.forms import Form, Name, left_out, parse
from workers.sessions import ALIVE

ROLES = tuple(ROLE_SCOPES)
Role = Literal["viewer", "operator", "admin"]
SHORTEST_PASSWORD = 12  # characters; the panel faces a network, and length is what resists guessing
LONGEST_PASSWORD = 500  # characters; hashing a novel costs us, not the guesser
DIFFERENT = FieldError("again", "is not the same password as above")
METHOD = "scrypt"  # werkzeug's, with its parameters: well kept, and of the standard library


class NewUser(Form):
    """A person to add."""

    name: Name
    role: Role
    password: SecretStr


class UserChange(Form):
    """What of a person is to change."""

    role: Role = left_out()
    active: bool = left_out()
    password: SecretStr = left_out()


def create(name: str, role: str, password: str) -> User:
    """Add a person. Raises InvalidFields, and Conflict where the name is taken (whatever its case)."""
    form = parse(NewUser, {"name": name, "role": role, "password": password})
    hashed = _hashed(form.password)
    try:
        with transaction():
            return User.get_by_id(User.create(name=form.name, role=form.role, password_hash=hashed).id)
    except peewee.IntegrityError as error:
        raise Conflict("name_taken", f"there is a user named {form.name} already", field="name") from error


def change(user_id: int, values: dict[str, object]) -> User:
    """Change a person; whoever loses something is signed out everywhere.

    Raises UnknownRecord, InvalidFields, and Conflict where nobody would be left who may change this again.
    """
    form = parse(UserChange, values)
    fields = form.given()
    if "password" in fields:
        fields["password_hash"] = _hashed(form.password)
        del fields["password"]
    with transaction():
        # All admins, in one order: two who shut each other out at once must not both succeed.
        execute("SELECT 1 FROM rm_users WHERE role = 'admin' ORDER BY id FOR UPDATE")
        person = User.get_or_none(User.id == user_id)
        if person is None:
            raise UnknownRecord("user")
        if fields:
            if "password_hash" in fields:
                fields["password_changed_at"] = peewee.fn.now()
            User.update(**fields).where(User.id == user_id).execute()
            fewer = fields.keys() & {"role", "active"}
            if fewer and row("SELECT 1 FROM rm_users WHERE role = 'admin' AND active LIMIT 1") is None:
                raise Conflict("last_admin", "somebody must stay who is an admin and active", field="role")
            execute("DELETE FROM rm_sessions WHERE user_id = %s", (user_id,))
        return User.get_by_id(user_id)


@dataclass(frozen=True, slots=True)
class Person:
    """A person as the list has them. sessions: browsers that are signed in now."""

    id: int
    name: str
    role: str
    active: bool
    created_at: datetime
    last_signed_in_at: datetime | None
    password_changed_at: datetime
    sessions: int


def people(most: int, *, after: int | None = None) -> list[Person]:
    """People by name; after: the id of the last one that was shown."""
    return [Person(*found) for found in rows(f"{_PEOPLE} WHERE {_AFTER}", (after, after, most))]


def get(user_id: int) -> Person:
    """One person. Raises UnknownRecord."""
    found = row(f"{_PEOPLE} WHERE u.id = %s", (user_id,))
    if found is None:
        raise UnknownRecord("user")
    return Person(*found)


def named(name: str) -> Person:
    """The person of this name, whatever its case. Raises UnknownRecord."""
    found = row(f"{_PEOPLE} WHERE lower(u.name) = lower(%s)", (name.strip(),))
    if found is None:
        raise UnknownRecord("user")
    return Person(*found)


_PEOPLE = f"""
    SELECT u.id, u.name, u.role, u.active, u.created_at, u.last_signed_in_at, u.password_changed_at,
           (SELECT count(*) FROM rm_sessions s WHERE s.user_id = u.id AND {ALIVE})
    FROM rm_users u
"""
_AFTER = """
    %s::int IS NULL OR lower(u.name) > (SELECT lower(name) FROM rm_users WHERE id = %s)
    ORDER BY lower(u.name) LIMIT %s
"""


def anybody() -> bool:
    """Whether anyone can sign in at all."""
    return row("SELECT 1 FROM rm_users WHERE active LIMIT 1") is not None


def verify(name: str, password: str) -> User | None:
    """The active person of this name and password, or None; takes as long for a name that nobody has."""
    with session():
        person = User.get_or_none(peewee.fn.lower(User.name) == name.strip().lower())
    hashed = person.password_hash if person is not None else _nobody()
    right = len(password) <= LONGEST_PASSWORD and check_password_hash(hashed, password)
    return person if right and person is not None and person.active else None


_NOBODY: list[str] = []


def _nobody() -> str:
    if not _NOBODY:
        _NOBODY.append(generate_password_hash("nobody's", METHOD))
    return _NOBODY[0]


def _hashed(password: SecretStr) -> str:
    text = password.get_secret_value()
    if not SHORTEST_PASSWORD <= len(text) <= LONGEST_PASSWORD:
        rule = f"must have {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters"
        raise InvalidFields([FieldError("password", rule)])
    return generate_password_hash(text, METHOD)
