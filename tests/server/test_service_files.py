"""The unit for systemd and the container recipe, read beside the program that they start."""

import configparser
import re
import shlex
from dataclasses import fields
from pathlib import Path

import pytest
import typer.main

from void_server.cli import app
from void_server.config import ENVIRONMENT_PREFIX, Config
from void_server.server import STOP_GRACE_S

INSTALL = Path(__file__).parents[2] / "install"
RECIPE = (INSTALL / "Containerfile").read_text(encoding="utf-8").replace("\\\n", " ")


def unit() -> configparser.ConfigParser:
    found = configparser.ConfigParser(interpolation=None, strict=False)
    found.optionxform = str  # type: ignore[assignment,method-assign]
    found.read(INSTALL / "void-server.service")
    return found


def options_of(*command: str) -> set[str]:
    found = typer.main.get_command(app)
    for name in command:
        found = found.commands[name]  # type: ignore[attr-defined]
    return {option for parameter in found.params for option in parameter.opts}


def instructions(name: str) -> list[str]:
    return re.findall(rf"^{name} (.+)$", RECIPE, re.MULTILINE)


def test_the_unit_starts_the_server_with_options_that_it_has() -> None:
    program, serve, *rest = shlex.split(unit()["Service"]["ExecStart"])
    assert Path(program).name == "void"
    assert serve == "serve"
    assert {word for word in rest if word.startswith("--")} <= options_of("serve")


def test_the_unit_gives_the_running_job_the_time_to_be_left() -> None:
    assert float(unit()["Service"]["TimeoutStopSec"]) > STOP_GRACE_S


def test_the_unit_runs_as_a_user_of_its_own_and_writes_to_one_folder() -> None:
    service = unit()["Service"]
    assert service["User"] == "void"
    assert (service["ProtectSystem"], service["NoNewPrivileges"]) == ("strict", "yes")
    assert f"--data-dir %S/{service['StateDirectory']}" in service["ExecStart"]


def test_the_recipe_runs_as_a_user_of_its_own_with_settings_that_there_are() -> None:
    assert instructions("USER") == ["void"]
    known = {ENVIRONMENT_PREFIX + field.name.upper() for field in fields(Config)}
    assert set(re.findall(r"\b(VOID_\w+)=", RECIPE)) <= known
    command = [word for line in instructions("CMD") for word in re.findall(r'"([^"]+)"', line)]
    assert {word for word in command if word.startswith("--")} <= options_of("serve")


@pytest.mark.parametrize("line", [one for one in instructions("COPY") if not one.startswith("--from")])
def test_the_recipe_copies_what_there_is(line: str) -> None:
    *sources, _ = line.split()
    ignored = (INSTALL / "Containerfile.dockerignore").read_text(encoding="utf-8").split()
    for source in sources:
        assert (INSTALL.parent / source).exists()
        assert f"!{source}" in ignored
