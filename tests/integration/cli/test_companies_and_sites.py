"""Companies and shops added, listed and tried from the command line."""

from __future__ import annotations

import pytest

from models.company import Company
from models.database import session
from models.site import Site
from models.sync_run import SyncRun
from tests.integration.cli.conftest import Run, json_of, only_line
from tests.simulators.process import Simulators

COMPANY = (
    *("company", "add", "--name", "Fabrikam", "--tenant-id", "fabrikam.com", "--environment", "Production"),
    *("--company-id", "3f2504e0-4f89-41d3-9a0c-0305e82c3301", "--client-id", "app"),
)


def test_a_company_is_added_with_its_secret_from_a_pipe_and_listed_without_it(
    run: Run, database: str
) -> None:
    assert run(*COMPANY, stdin="top secret\n").exit_code == 0

    result = run("company", "list", "--json")

    (record,) = json_of(result)
    assert record["name"] == "Fabrikam"
    assert record["api_url"].endswith("/v2.0/fabrikam.com/Production/api/v2.0")
    assert "secret" not in result.stdout
    with session():
        assert Company.get().client_secret.reveal() == "top secret"


def test_every_wrong_option_is_named_without_its_value(run: Run, database: str) -> None:
    result = run(*COMPANY[:-4], "--company-id", "no-guid-at-all", "--client-id", " ", stdin="top secret\n")

    assert result.exit_code == 2
    line = only_line(result)
    assert "--company-id must be a GUID" in line
    assert "--client-id must not be empty" in line
    assert "no-guid-at-all" not in line


def test_a_name_that_is_taken_is_code_1(run: Run, database: str) -> None:
    run(*COMPANY, stdin="top secret\n")

    result = run(*COMPANY, stdin="top secret\n")

    assert result.exit_code == 1
    assert "--name: another company has this name" in only_line(result)


def test_no_secret_at_all_says_how_to_give_one(run: Run, database: str) -> None:
    result = run(*COMPANY, stdin="")

    assert result.exit_code == 1
    assert "Client secret: nothing on standard input" in only_line(result)


def test_an_active_site_starts_its_first_sync_and_an_inactive_one_does_not(run: Run, owner: Company) -> None:
    add = ("site", "add", "--platform", "bigcommerce", "--company", owner.name, "--access-token", "t0ken")

    assert run(*add, "--name", "Now", "--store-hash", "abc").exit_code == 0
    assert run(*add, "--name", "Later", "--store-hash", "def", "--inactive").exit_code == 0

    with session():
        assert [run.site.name for run in SyncRun.select()] == ["Now"]
    sites = json_of(run("site", "list", "--json"))
    assert [(site["name"], site["active"], site["company"]) for site in sites] == [
        ("Now", True, owner.id),
        ("Later", False, owner.id),
    ]
    assert "t0ken" not in run("site", "list").stdout


def test_a_second_site_on_the_same_store_needs_channels_of_its_own(run: Run, shop: Site) -> None:
    result = run(
        *("site", "add", "--name", "Twin", "--platform", "bigcommerce", "--company", "Contoso"),
        *("--store-hash", "abc", "--access-token", "t0ken"),
    )

    assert result.exit_code == 1
    assert "channel" in only_line(result)


def test_options_of_the_other_platform_are_refused(run: Run, owner: Company) -> None:
    result = run(
        *("site", "add", "--name", "Mixed", "--platform", "woocommerce", "--company", str(owner.id)),
        *("--url", "https://shop.example", "--store-hash", "abc"),
        stdin="ck_key\ncs_secret\n",
    )

    assert result.exit_code == 2
    assert "--store-hash is not a field here" in only_line(result)


def test_a_site_that_nobody_answers_for_fails_its_test_with_the_reason(run: Run, shop: Site) -> None:
    result = run("site", "test", "Outlet")

    assert result.exit_code == 1
    assert "FAIL" in result.stdout
    assert "Traceback" not in result.output


@pytest.mark.usefixtures("database")
def test_a_right_company_and_shop_pass_and_a_wrong_secret_is_told(run: Run) -> None:
    with Simulators.start(bc_items=50, bigcommerce_skus=50, woocommerce=0) as simulators:
        bc, store = simulators.bc, simulators.bigcommerce[0]
        assert run(
            *("company", "add", "--name", "Sim", "--tenant-id", bc.tenant_id),
            *("--environment", bc.environment, "--company-id", bc.company_id, "--client-id", bc.client_id),
            *("--api-url", bc.api_url, "--token-url", bc.token_url),
            stdin=f"{bc.client_secret}\n",
        ).exit_code == 0  # fmt: skip
        add = ("site", "add", "--platform", "bigcommerce", "--company", "Sim", "--inactive")
        channels = [option for channel in store.channel_ids for option in ("--channel-id", str(channel))]
        run(
            *add,
            *("--name", "Right", "--store-hash", store.store_hash, "--api-url", store.api_url),
            *channels,
            stdin=f"{store.access_token}\n",
        )

        company, site = run("company", "test", "Sim"), run("site", "test", "Right", "--json")

        assert company.exit_code == 0, company.output
        assert {check["ok"] for check in json_of(site)} == {True}
        with session():
            Site.update(access_token="wrong").execute()
        refused = run("site", "test", "Right")
        assert refused.exit_code == 1
        assert "FAIL" in refused.stdout
