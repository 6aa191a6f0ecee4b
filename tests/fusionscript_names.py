"""The calls in the public stubs of Resolve's scripting: class -> call -> its parameters."""

import ast
import sys
from pathlib import Path


def classes():
    """Raises StopIteration where fusionscript-stubs is not installed."""
    file = next(
        path
        for folder in sys.path
        if (path := Path(folder) / "fusionscript-stubs" / "fusionscript.pyi").is_file()
    )
    return {
        node.name: {
            call.name: [argument.arg for argument in call.args.args[1:]]
            for call in node.body
            if isinstance(call, ast.FunctionDef)
        }
        for node in ast.parse(file.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef)
    }
