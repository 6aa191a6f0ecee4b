"""Nothing that comes from outside is run or unpickled: every line is read for it."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[2]
SOURCES = [
    path
    for folder in ("void_server", "shared", "nuke_plugin", "resolve_plugin", "install")
    for path in sorted((ROOT / folder).rglob("*.py"))
]
MODULES = {
    "pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve", "joblib", "jsonpickle", "yaml", "code", "codeop",
}  # fmt: skip
CALLS = {"eval", "exec", "compile", "__import__"}
METHODS = {
    "torch.load", "np.load", "numpy.load", "os.system", "os.popen", "recv_pyobj", "send_pyobj", "recv_serialized",
    "runpy.run_path", "runpy.run_module",
}  # fmt: skip
ARGUMENTS = {"shell", "allow_pickle", "trust_remote_code", "weights_only"}


def wrong_in(source: str) -> Iterator[str]:
    """Every use of what runs code, or makes objects, out of bytes."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        else:
            names = []
        yield from (name for name in names if name.split(".")[0] in MODULES)
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called in CALLS or called in METHODS or called.rpartition(".")[2] in METHODS:
                yield called
            yield from (word.arg for word in node.keywords if word.arg in ARGUMENTS)


def test_no_source_runs_or_unpickles_anything() -> None:
    found = {
        str(path.relative_to(ROOT)): list(wrong_in(path.read_text(encoding="utf-8"))) for path in SOURCES
    }
    assert len(SOURCES) > 150
    assert {name: wrong for name, wrong in found.items() if wrong} == {}


@pytest.mark.parametrize(
    "source",
    [
        "import pickle", "from pickle import loads", "import torch\ntorch.load(x)", "eval(x)", "__import__(x)",
        "socket.recv_pyobj()", "subprocess.run(x, shell=True)", "np.load(x, allow_pickle=True)", "os.system(x)",
        "T.from_pretrained(x, trust_remote_code=True)",
    ],
)  # fmt: skip
def test_the_reading_finds_what_it_looks_for(source: str) -> None:
    assert list(wrong_in(source))


def test_ruff_s_rules_of_security_are_on_and_nobody_is_excused() -> None:
    lint = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["ruff"]["lint"]
    assert "S" in lint["select"]
    assert [rule for rule in lint["ignore"] if rule.startswith("S")] == ["S603"]
    assert [files for files, rules in lint["per-file-ignores"].items() if "S" in rules] == ["tests/**"]
    excused = [path.name for path in SOURCES if re.search(r"noqa: .*\bS\d", path.read_text(encoding="utf-8"))]
    assert excused == []
