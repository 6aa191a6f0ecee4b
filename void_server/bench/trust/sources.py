"""Row 18: no line of ours runs or unpickles what comes from outside, and weights are the recorded ones."""

from __future__ import annotations

import ast
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from void_server import weights_record
from void_server.bench.trust.ground import BOTH_PASSES, Ground
from void_server.bench.trust.verdict import Finding
from void_wire.client import Client
from void_wire.errors import EngineError

ROOT = Path(__file__).parents[3]
"""Of the checkout, or where the packages are installed."""

FOLDERS = ("void_server", "shared", "void_wire", "void_panel", "nuke_plugin", "resolve_plugin", "install")
MODULES = {
    "pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve", "joblib", "jsonpickle", "yaml", "code", "codeop",
}  # fmt: skip
CALLS = {"eval", "exec", "compile", "__import__"}
METHODS = {
    "torch.load", "np.load", "numpy.load", "os.system", "os.popen", "recv_pyobj", "send_pyobj", "recv_serialized",
    "runpy.run_path", "runpy.run_module",
}  # fmt: skip
ARGUMENTS = {"shell", "allow_pickle", "trust_remote_code", "weights_only"}
SMALL_BYTES = 200_000_000
"""Of weights that are copied to be spoiled."""


def clean(ground: Ground, count: int) -> list[Finding]:
    """Row 18: every source is read; ``count`` bytes of a copy of the weights are changed."""
    read = sources()
    wrong = {name: found for name, found in ((path.name, list(wrong_in(path))) for path in read) if found}
    return [
        Finding(
            f"{len(read)} sources read, {len(wrong)} run or unpickle something {wrong or ''}".strip(),
            not wrong,
        ),
        _spoilt_weights(ground, count),
    ]


def sources() -> list[Path]:
    """Every Python file of ours."""
    return [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]


def wrong_in(path: Path) -> Iterator[str]:
    """Every use, in a file, of what runs code, or makes objects, out of bytes."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
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


def _spoilt_weights(ground: Ground, count: int) -> Finding:
    """Weights of the same layout that are not the recorded ones, and what a client is told."""
    size = sum(path.stat().st_size for path in ground.weights.rglob("*") if path.is_file())
    if size > SMALL_BYTES:
        return Finding("weights with another digest: not measured, these are too large to be copied", None)
    from void_server.engine.weights import check_weights  # torch

    folder = ground.place("weights") / "model"
    shutil.copytree(ground.weights, folder)
    weights_record.write(folder, check_weights(folder))
    file = folder / "void_pass2.safetensors"
    refused = 0
    for turn in range(count):
        data, before = bytearray(file.read_bytes()), file.stat()
        data[-1 - turn] ^= 1
        file.write_bytes(data)
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
        spoilt = Ground(ground.folder / f"spoilt-{turn}", folder)
        with spoilt.server(model=True) as server, Client(server.address) as client:
            try:
                client.submit(ground.shot_for("void").spec(f"spoilt-job-{turn}", BOTH_PASSES))
            except EngineError as error:
                refused += "is not the file that was recorded" in str(error)
    return Finding(f"{refused} of {count} weights with another digest refused", refused == count)
