"""Encryption keys: made, rotated over every stored secret, and the old one let go."""

from __future__ import annotations

import pytest
from cryptography.fernet import Fernet

from models import config
from models.company import Company
from models.crypto import SecretField, UndecryptableError
from models.database import execute, row, rows, session
from models.site import Site
from tests.integration.cli.conftest import Run, only_line
from workers import secret_columns


def read_with(keys: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on this process has these keys."""
    monkeypatch.setenv("ENCRYPTION_KEYS", keys)
    config.settings.cache_clear()


def test_a_generated_key_is_one_that_settings_take(run: Run) -> None:
    Fernet(run("keys", "generate").stdout.strip())


def test_every_secret_column_is_found() -> None:
    found = {
        table._meta.table_name: set(columns) for table, columns in secret_columns.secret_tables().items()
    }

    assert found["rm_companies"] == {"client_secret"}
    assert found["rm_sites"] >= {"access_token", "consumer_key", "consumer_secret", "webhook_secret"}
    assert isinstance(Company.client_secret, SecretField)


def test_after_a_rotation_the_new_key_alone_reads_everything(
    run: Run, environment: dict[str, str], shop: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = environment["ENCRYPTION_KEYS"], Fernet.generate_key().decode()
    read_with(f"{new},{old}", monkeypatch)

    result = run("keys", "rotate")

    assert result.exit_code == 0, result.output
    assert "all secrets are under the newest key" in result.stdout
    read_with(new, monkeypatch)
    with session():
        assert Company.get().client_secret.reveal() == "the client secret"
        assert Site.get().access_token.reveal() == "the access token"
        assert Site.get().consumer_key is None
    read_with(old, monkeypatch)
    with session(), pytest.raises(UndecryptableError):
        Company.get().client_secret.reveal()


def test_a_secret_that_no_key_reads_is_named_and_left_and_the_others_are_rotated(
    run: Run, environment: dict[str, str], shop: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    foreign = Fernet(Fernet.generate_key()).encrypt(b"lost").decode()
    execute("UPDATE rm_companies SET client_secret = %s", (foreign,))
    new = Fernet.generate_key().decode()
    read_with(f"{new},{environment['ENCRYPTION_KEYS']}", monkeypatch)

    result = run("keys", "rotate")

    assert result.exit_code == 1
    assert f"no key reads rm_companies {shop.company_id} client_secret" in only_line(result)
    assert row("SELECT client_secret FROM rm_companies") == (foreign,)
    read_with(new, monkeypatch)
    with session():
        assert Site.get().access_token.reveal() == "the access token"


def test_more_rows_than_one_batch_are_all_rotated(
    run: Run, environment: dict[str, str], owner: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.secret_columns.BATCH_ROWS", 3)
    execute(
        "INSERT INTO rm_companies (name, tenant_id, environment, company_id, client_id, client_secret,"
        " api_url, token_url) SELECT 'c' || n, '', '', '', '', c.client_secret, '', ''"
        " FROM rm_companies c, generate_series(1, 10) n"
    )
    before = set(rows("SELECT client_secret FROM rm_companies"))
    new = Fernet.generate_key().decode()
    read_with(f"{new},{environment['ENCRYPTION_KEYS']}", monkeypatch)

    assert run("keys", "rotate").exit_code == 0

    assert not before & set(rows("SELECT client_secret FROM rm_companies"))
    read_with(new, monkeypatch)
    with session():
        secrets = [company.client_secret.reveal() for company in Company.select()]
    assert secrets == ["the client secret"] * 11
