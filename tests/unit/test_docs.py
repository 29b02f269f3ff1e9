"""The documentation names every variable, setting and command that there is, and none that there isn't."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from api.cli import cli
from models.config import Settings
from models.setting import SETTINGS

ROOT = Path(__file__).parents[2]
CONFIGURATION = (ROOT / "docs" / "configuration.md").read_text()
README = (ROOT / "README.md").read_text()
ROW = re.compile(r"^\| `(?P<name>[^`]+)` \| (?P<default>.*?) \|", re.MULTILINE)


def section(title: str) -> dict[str, str]:
    """name -> default, as the table under a heading has them."""
    text = CONFIGURATION.partition(f"## {title}\n")[2].partition("\n## ")[0]
    return {match["name"]: match["default"] for match in ROW.finditer(text)}


def commands(group: click.Group, path: str) -> Iterator[str]:
    """Every command that can be typed."""
    context = click.Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        assert found is not None
        if isinstance(found, click.Group):
            yield from commands(found, f"{path} {name}")
        else:
            yield f"{path} {name}"


def test_every_environment_variable_is_documented() -> None:
    assert set(section("Environment variables")) == {name.upper() for name in Settings.model_fields}


@pytest.mark.parametrize("name", [name for name in Settings.model_fields if name != "data_dir"])
def test_the_documented_default_of_a_variable_is_the_code_s(name: str) -> None:
    documented = section("Environment variables")[name.upper()].strip("`")
    default = Settings.model_fields[name].default
    if default is None:
        assert documented in ("the embedded server", "made in `DATA_DIR", "none")
    elif isinstance(default, bool):
        assert documented == str(default).lower()
    elif isinstance(default, float):
        assert float(documented) == default
    else:
        assert documented == str(default)


def test_every_setting_is_documented_with_its_default() -> None:
    expected = {
        key: "none" if definition.default is None else f"`{definition.default}`"
        for key, definition in SETTINGS.items()
    }
    assert section("Settings in the database") == expected


def test_every_setting_s_help_is_the_documentation_s() -> None:
    plain = CONFIGURATION.replace("`", "")
    for definition in SETTINGS.values():
        assert definition.help.partition(":")[0].partition(",")[0].rstrip(".") in plain


def test_the_readme_lists_every_command() -> None:
    listed = re.findall(r"^\| `(inventory-sync [^`]+)` \|", README, re.MULTILINE)
    assert sorted(listed) == sorted(commands(cli, "inventory-sync"))


def test_every_command_says_what_it_does_and_how_each_option_is_called() -> None:
    def check(command: click.Command, name: str) -> None:
        assert command.help, name
        if isinstance(command, click.Group):
            context = click.Context(command)
            for child in command.list_commands(context):
                found = command.get_command(context, child)
                assert found is not None
                check(found, f"{name} {child}")

    check(cli, "inventory-sync")


def test_the_readme_opens_with_the_two_commands() -> None:
    first_lines = README.splitlines()[:5]
    assert any(line.strip().startswith("make demo") for line in first_lines)
    assert any(line.strip().startswith("make test") for line in first_lines)


def test_every_make_target_that_the_readme_names_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"`?make (\w+)", README)) - {"the"}:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
