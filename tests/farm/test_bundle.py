"""The bundle: its template is read by Open Job Description's own tool."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from farm_bundles import planned_shot

from void_farm import bundle, hook
from void_farm.bundle import Export, Needs
from void_farm.plan import Plan
from void_wire.errors import SettingsError

ANY = Needs()
PLAN = Plan('a "night": é', (planned_shot(),))


def openjd(*arguments: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "openjd", *map(str, arguments)], capture_output=True, text=True, check=False
    )


def write(folder: Path, needs: Needs = ANY, **given: object) -> Path:
    return bundle.write(
        folder, PLAN, needs=needs, inputs=[Path("/shots/plate.1001.exr")], outputs=[], **given
    )


@pytest.mark.parametrize(
    ("needs", "export"),
    [
        (Needs(), None),
        (Needs(gpus=0), None),
        (
            Needs(licence="amount.licence.void"),
            Export(("nuke", "-x", 'a "b" $HOME', "{c: d}"), "amount.licence.nuke_r"),
        ),
        (Needs(), Export(("render",))),
    ],
)
def test_open_job_description_takes_it(tmp_path, needs, export):
    write(tmp_path, needs, export=export)
    checked = openjd("check", tmp_path / bundle.TEMPLATE)
    assert checked.returncode == 0, checked.stdout
    summary = json.loads(openjd("summary", tmp_path / bundle.TEMPLATE, "--output", "json").stdout)
    assert summary["name"] == f"VOID {PLAN.name}"
    steps = {step["name"]: step for step in summary["steps"]}
    assert list(steps) == [*(["export"] if export else []), "remove", "finish"]
    assert summary["total_tasks"] == 2 + len(steps) - 1
    text = (tmp_path / bundle.TEMPLATE).read_text()
    assert ("amount.worker.gpu" in text) == (needs.gpus > 0)
    for licence in (needs.licence, export.licence if export else ""):
        assert not licence or f"{{name: {licence}, min: 1}}" in text


def test_its_other_files_say_what_a_farm_brings(tmp_path):
    path = write(tmp_path, weights="/models/void")
    values = json.loads((tmp_path / bundle.VALUES).read_text())["parameterValues"]
    assert {one["name"]: one["value"] for one in values} == {
        "JobName": PLAN.name, "Segments": "0-1", "Weights": "/models/void", "Plan": str(path),
    }  # fmt: skip
    assets = json.loads((tmp_path / bundle.ASSETS).read_text())["assetReferences"]
    assert assets["inputs"]["filenames"] == sorted(["/shots/plate.1001.exr", str(path)])
    assert assets["outputs"]["directories"] == [str(tmp_path)]


def test_a_bundle_that_is_there_is_not_replaced(tmp_path):
    write(tmp_path)
    with pytest.raises(SettingsError, match="holds a bundle already"):
        write(tmp_path)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Needs(gpus=-1), "gpus is -1"),
        (lambda: Needs(licence="nuke"), "write it as amount.licence"),
        (lambda: Export((), ""), "no command"),
        (lambda: Export(("a",), "amount.x y"), "no amount of Open Job Description"),
    ],
)
def test_bad_needs_are_refused(make, says):
    with pytest.raises(SettingsError, match=says):
        make()


def python(code: str) -> dict[str, str]:
    return {hook.VARIABLE: f"{sys.executable} -c '{code}' --of"}


def test_the_studios_command_gets_the_bundle(tmp_path):
    assert hook.submit(tmp_path, {}) == ""
    said = hook.submit(tmp_path, python("import sys; print(sys.argv[1:])"))
    assert said.endswith(f"took the bundle and said: ['--of', {str(tmp_path)!r}]")


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        (python("print(1); raise SystemExit(3)"), "failed with exit code 3 and said: 1. The bundle stays in"),
        ({hook.VARIABLE: "/nowhere/send --now"}, "/nowhere/send of VOID_FARM_SUBMIT cannot be run"),
        ({hook.VARIABLE: "send 'it"}, "is no command"),
    ],
)
def test_a_command_that_fails_is_told_in_a_sentence(tmp_path, environment, says):
    with pytest.raises(SettingsError, match=says):
        hook.submit(tmp_path, environment)
