"""Expressions of Custom Tools and of inputs: Python's own parser reads them, `if` aside.

Both write numbers, names with dots, calls, arithmetic and comparisons; a comparison gives 1 or 0.
"""

import ast
import functools
import operator
import re

import numpy as np

_BINARY = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Mod: np.fmod,
}
_COMPARE = {
    ast.Lt: np.less,
    ast.LtE: np.less_equal,
    ast.Gt: np.greater,
    ast.GtE: np.greater_equal,
    ast.Eq: np.equal,
    ast.NotEq: np.not_equal,
}
_FUNCTIONS = {
    "min": np.minimum,
    "max": np.maximum,
    "abs": np.abs,
    "int": np.trunc,
    "floor": np.floor,
    "if_": lambda which, yes, no: np.where(np.not_equal(which, 0), yes, no),
    "iif": lambda which, yes, no: np.where(np.not_equal(which, 0), yes, no),
}


@functools.cache
def _parsed(text):
    return ast.parse(re.sub(r"\bif\(", "if_(", text), mode="eval")


def evaluate(text, look_up, call=None):
    """``look_up`` gives the value of a name with its dots, ``call`` that of a function that is not arithmetic."""
    tree = _parsed(text)

    def of(node):
        if isinstance(node, ast.Expression):
            return of(node.body)
        if isinstance(node, ast.Constant):
            return float(node.value)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return -of(node.operand)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.UAdd):
            return of(node.operand)
        if isinstance(node, ast.BinOp):
            return _BINARY[type(node.op)](of(node.left), of(node.right))
        if isinstance(node, ast.Compare) and len(node.ops) == 1:
            return _COMPARE[type(node.ops[0])](of(node.left), of(node.comparators[0])) * 1.0
        if isinstance(node, (ast.Name, ast.Attribute)):
            return look_up(node.id if isinstance(node, ast.Name) else ast.unparse(node))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            if node.func.id in ("if_", "iif") and np.ndim(which := of(node.args[0])) == 0:
                return of(node.args[1 if which else 2])
            arguments = [of(argument) for argument in node.args]
            if node.func.id in _FUNCTIONS:
                return _FUNCTIONS[node.func.id](*arguments)
            if call is not None:
                return call(node.func.id, *arguments)
        raise SyntaxError(f"{text!r} is not understood at {ast.unparse(node)!r}")

    return of(tree)


def names(text):
    """Every name with its dots, functions aside."""
    found = []
    evaluate(text, lambda name: found.append(name) or 1.0, lambda *_: 1.0)
    return found
