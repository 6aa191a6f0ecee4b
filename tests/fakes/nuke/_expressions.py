"""Nuke's expressions, of knobs and of pixels: numbers, names, calls, and C's operators.

``evaluate(text, look_up, call)``: names with dots go to ``look_up``, functions to ``call``. Values may be numpy
arrays. An unknown name raises NameError, as Nuke shows an error on the node.
"""

import re

import numpy as np

_TOKEN = re.compile(r"\s*(\d+\.?\d*|\.\d+|[A-Za-z_][\w]*(?:\.[A-Za-z_]\w*)*|&&|\|\||[<>=!]=|[-+*/%<>!?:(),])")


def evaluate(text, look_up, call):
    parser = _Parser(text, look_up, call)
    value = parser.ternary()
    if parser.tokens:
        raise SyntaxError(f"{text!r}: {parser.tokens[0]!r} is not understood")
    return value


def names(text):
    """Every name with its dots, functions aside."""
    found = []
    evaluate(text, lambda name: found.append(name) or 1.0, lambda name, arguments: 1.0)
    return found


def _truth(value):
    return np.not_equal(value, 0)


class _Parser:
    def __init__(self, text, look_up, call):
        self.tokens, position = [], 0
        text = text.rstrip()
        while position < len(text):
            match = _TOKEN.match(text, position)
            if not match:
                raise SyntaxError(f"{text!r} is not understood from {text[position:]!r} on")
            self.tokens.append(match[1])
            position = match.end()
        self.look_up, self.call = look_up, call

    def take(self, *wanted):
        if self.tokens and self.tokens[0] in wanted:
            return self.tokens.pop(0)
        return None

    def expect(self, token):
        if not self.take(token):
            raise SyntaxError(f"{token!r} is missing before {self.tokens}")

    def ternary(self):
        condition = self.either()
        if not self.take("?"):
            return condition
        yes = self.ternary()
        self.expect(":")
        return np.where(_truth(condition), yes, self.ternary())

    def either(self):
        value = self.both()
        while self.take("||"):
            value = np.logical_or(_truth(value), _truth(self.both())) * 1.0
        return value

    def both(self):
        value = self.comparison()
        while self.take("&&"):
            value = np.logical_and(_truth(value), _truth(self.comparison())) * 1.0
        return value

    def comparison(self):
        value = self.sum()
        compare = {
            "<": np.less,
            ">": np.greater,
            "<=": np.less_equal,
            ">=": np.greater_equal,
            "==": np.equal,
            "!=": np.not_equal,
        }
        while token := self.take(*compare):
            value = compare[token](value, self.sum()) * 1.0
        return value

    def sum(self):
        value = self.product()
        while token := self.take("+", "-"):
            other = self.product()
            value = value + other if token == "+" else value - other
        return value

    def product(self):
        value = self.unary()
        while token := self.take("*", "/", "%"):
            other = self.unary()
            value = {"*": np.multiply, "/": np.divide, "%": np.mod}[token](value, other)
        return value

    def unary(self):
        if self.take("-"):
            return -self.unary()
        if self.take("!"):
            return np.logical_not(_truth(self.unary())) * 1.0
        return self.primary()

    def primary(self):
        if self.take("("):
            value = self.ternary()
            self.expect(")")
            return value
        token = self.tokens.pop(0)
        if token[0].isdigit() or token[0] == ".":
            return float(token)
        if not self.take("("):
            return self.look_up(token)
        arguments = [self.ternary()]
        while self.take(","):
            arguments.append(self.ternary())
        self.expect(")")
        return self.call(token, arguments)
