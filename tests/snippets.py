"""Run a snippet of Python, and compare what its comments say with what its statements give.

A comment behind a statement says what the statement gives if it begins with a value:

    f(x)  # 0.5: a number, to the digits that are written, also as "about 0.5"
    f(x)  # [-0.693, 2.0] nats: the numbers of an array or a list
    a, b = f(x)  # (8, 7, 4) and (8, 7): the shapes of arrays; several values with "and" in between
    f(x)  # (3.0, 1.414): the numbers of a tuple
    f(x)  # "digits": a string

Every other comment is prose.
"""

import ast
import io
import re
import tokenize

import numpy as np
from keras import ops

NUMBER = r"-?\d+(?:\.\d+)?"
NUMBERS = rf"(?:None|{NUMBER}|[,\s\[\]])*"
VALUE = rf'(?:"[^"]*"|\({NUMBERS}\)|\[{NUMBERS}\]|{NUMBER})'
CLAIMS = re.compile(rf"# (?:about )?({VALUE}(?: and {VALUE})*)(?=[\s,:]|$)")


def run(source, name):
    """The names that `source` defines. AssertionError where a comment is wrong."""
    names = {"__name__": "snippet"}
    comments = {
        token.start[0]: token.string
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    }
    for statement in ast.parse(source).body:
        value = execute(statement, name, names)
        comment = comments.get(statement.end_lineno, "")
        claims = CLAIMS.match(comment)
        if claims and isinstance(statement, (ast.Expr, ast.Assign)):
            said = re.findall(VALUE, claims[1])
            given = [value] if len(said) == 1 else value
            right = len(said) == len(given) and all(map(agrees, said, given))
            assert right, f"{name}: `{ast.unparse(statement)}` gives {value}, not {comment}"
    return names


def execute(statement, name, names):
    """Run one statement and return what it gives: its value, or what it assigned."""
    if not isinstance(statement, ast.Expr):
        exec(compile(ast.Module([statement], []), name, "exec"), names)
    if isinstance(statement, ast.Assign):
        return eval(ast.unparse(statement.targets[0]), names)
    if isinstance(statement, ast.Expr):
        return eval(compile(ast.Expression(statement.value), name, "eval"), names)


def agrees(said, given):
    """Whether one value is what a comment says."""
    if said.startswith('"'):
        return given == said.strip('"')
    if hasattr(given, "shape"):
        given = given.shape if said.startswith("(") else ops.convert_to_numpy(given)
    said, given = re.findall(rf"None|{NUMBER}", said), np.ravel(given)
    return len(said) == len(given) and all(map(same, said, given))


def same(said, given):
    """Whether one number is the one that is written, to its last digit."""
    if said == "None" or given is None:
        return said == str(given)
    decimals = len(said.partition(".")[2])
    return abs(given - float(said)) <= 0.5001 * 10.0**-decimals
