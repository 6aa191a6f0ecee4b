"""``void weights``: what is there, what is wrong with it, and getting it."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from rich.console import Console
from rich.table import Table

from void_server import weights_record
from void_server.engine.weights import check_weights, pull_weights
from void_wire.errors import CheckpointError, SettingsError


def print_check(folder: Path, *, record: bool) -> None:
    """Print every file of the layout with size, keys, type and sha256, and compare them with what was recorded.

    With ``record`` they are recorded as they are. Raises CheckpointError with what is wrong, after the table.
    """
    if not folder.is_dir():
        raise CheckpointError(f"There is no folder {folder}: get the weights with void weights pull {folder}")
    with_torch = (
        importlib.util.find_spec("torch") is not None and importlib.util.find_spec("diffusers") is not None
    )
    if with_torch:
        from void_server.engine.checkpoints import mismatches

        reports = check_weights(folder, mismatches)
    else:
        reports = check_weights(folder)
    table = Table("file", "size", "keys", "type", "sha256", "", box=None)
    for report in reports:
        table.add_row(
            report.file.name
            if report.file.parent == folder
            else f"{report.file.parent.name}/{report.file.name}",
            f"{report.size_bytes / 1e6:.1f} MB" if report.present else "",
            str(report.keys or ""),
            report.dtype,
            report.sha256,
            "wrong" if report.problem else "ok",
        )
    Console(width=160).print(table)  # a sha256 is there to be copied, whatever the terminal's width
    problems = [report.problem for report in reports if report.problem]
    if not problems and not record:
        problems = weights_record.differing(folder, reports)
    if problems:
        raise CheckpointError(
            " ".join(problems[:4]) + (f" And {len(problems) - 4} more." if problems[4:] else "")
        )
    if record:
        print(
            f"Recorded in {weights_record.write(folder, reports)}: a server refuses files that differ from it."
        )
    if not with_torch:
        print("The files are whole. Whether their tensors fit the model is checked where torch is installed.")


def pull_and_check(folder: Path) -> None:
    """Fetch what lacks, check it all, and record it the first time.

    Raises Unreachable, CheckpointError, SettingsError.
    """
    if importlib.util.find_spec("huggingface_hub") is None:
        raise SettingsError("void weights pull needs huggingface_hub: pip install 'void-compositor[void]'.")
    pull_weights(folder)
    print_check(folder, record=weights_record.read(folder) is None)
