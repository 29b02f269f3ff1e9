"""`inventory-sync company`: the Business Central companies."""

from __future__ import annotations

from typing import Any

import click

from api.commands.servers import with_database
from api.commands.shared import ask_secret, given, json_option, print_checks, print_list
from models.company import Company
from models.database import session
from workers import companies, connection_test
from workers.errors import ConfigurationError
from workers.forms import parse

FIELDS = (
    "id",
    "name",
    "tenant_id",
    "environment",
    "company_id",
    "client_id",
    "api_url",
    "token_url",
    "created_at",
)
COLUMNS = ("id", "name", "tenant_id", "environment", "company_id", "api_url")


@click.group()
def company() -> None:
    """Business Central companies, where the stock comes from."""


@company.command()
@click.option("--name", required=True)
@click.option("--tenant-id", required=True, help="The tenant's GUID, or its domain.")
@click.option("--environment", required=True, help="Such as Production.")
@click.option("--company-id", required=True, help="The company's GUID, as /companies of the API lists it.")
@click.option("--client-id", required=True, help="Of the app registration in Entra ID.")
@click.option(
    "--client-secret", help="Better left out: it is asked for then, and stands in no shell history."
)
@click.option("--api-url", help="All that stands before /companies(...); default: Business Central online.")
@click.option("--token-url", help="Default: Microsoft's, for the tenant.")
@with_database
def add(client_secret: str | None, **fields: Any) -> None:
    """Add a company."""
    fields["client_secret"] = client_secret or ask_secret("Client secret")
    made = companies.create(parse(companies.NewCompany, given(fields)))
    click.echo(f"company {made.id} ({made.name}) is stored; try it: inventory-sync company test {made.id}")


@company.command("list")
@json_option
@with_database
def list_companies(as_json: bool) -> None:
    """List the companies, without their secrets."""
    with session():
        found = Company.select().order_by(Company.id)
        records = [{name: getattr(one, name) for name in FIELDS} for one in found]
    print_list(as_json, records, COLUMNS, empty="no company yet: see `inventory-sync company add`")


@company.command("test")
@click.argument("wanted", metavar="COMPANY")
@json_option
@with_database
def try_company(wanted: str, as_json: bool) -> None:
    """Really ask Business Central, and say in one line what is wrong. COMPANY is an id or an exact name."""
    print_checks(as_json, connection_test.test_company(find_company(wanted)))


def find_company(wanted: str) -> Company:
    """The company with this id or exactly this name."""
    with session():
        chosen: Company | None = Company.get_or_none(Company.name == wanted)
        if chosen is None and wanted.isascii() and wanted.isdigit() and len(wanted) < 10:
            chosen = Company.get_or_none(Company.id == int(wanted))
    if chosen is None:
        raise ConfigurationError(
            "COMPANY", "no company has this id or name; see `inventory-sync company list`"
        )
    return chosen
