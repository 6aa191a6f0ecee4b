"""Row 18 reads every line for what runs or unpickles what comes from outside: the reading finds it, and lint is on."""

import re
import sys
from pathlib import Path

import pytest

from void_server.bench.trust.sources import ROOT, sources, wrong_in

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@pytest.mark.parametrize(
    "source",
    [
        "import pickle", "from pickle import loads", "import torch\ntorch.load(x)", "eval(x)", "__import__(x)",
        "socket.recv_pyobj()", "subprocess.run(x, shell=True)", "np.load(x, allow_pickle=True)", "os.system(x)",
        "T.from_pretrained(x, trust_remote_code=True)",
    ],
)  # fmt: skip
def test_the_reading_finds_what_it_looks_for(source: str, tmp_path: Path) -> None:
    (tmp_path / "source.py").write_text(source)
    assert list(wrong_in(tmp_path / "source.py"))


def test_every_source_is_read() -> None:
    found = sources()
    assert {path.relative_to(ROOT).parts[0] for path in found} == {
        "void_server", "shared", "nuke_plugin", "resolve_plugin", "install",
    }  # fmt: skip
    assert len(found) > 150


def test_ruff_s_rules_of_security_are_on_and_nobody_is_excused() -> None:
    lint = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["ruff"]["lint"]
    assert "S" in lint["select"]
    assert [rule for rule in lint["ignore"] if rule.startswith("S")] == ["S603"]
    assert [files for files, rules in lint["per-file-ignores"].items() if "S" in rules] == ["tests/**"]
    excused = [
        path.name for path in sources() if re.search(r"noqa: .*\bS\d", path.read_text(encoding="utf-8"))
    ]
    assert excused == []
