"""The modules stand in one order, and imports point one way: up this list."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import mplogging

ORDER = (
    "_errors", "_numbers", "_levels", "_records", "_periods", "_names", "_lines", "_lock",
    "_opening", "_appending", "_retention", "_compression", "_link", "_series", "_backlog",
    "_file_arguments", "_files", "_frames", "_liveness", "_place", "_pipe", "_drops", "_sidelines",
    "_delivery", "_direct", "_config", "_channels", "_queue_handler", "_attaching",
    "_decorators", "_sources", "_listener", "_signals", "_settings", "_outputs", "_stats",
    "_run", "_session", "_demo", "__init__", "__main__",
)
SOURCES = {path.stem: path for path in Path(mplogging.__path__[0]).glob("*.py")}
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def own_imports(tree: ast.AST) -> set[str]:
    """The package's modules that anything in `tree` imports, at whatever depth."""
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            parts = (["mplogging"] if node.level else []) + ([node.module] if node.module else [])
            names += [".".join([*parts, alias.name]) for alias in node.names]
    inside = [name.split(".")[1:] for name in names if name.split(".")[0] == "mplogging"]
    return {rest[0] if rest and rest[0] in SOURCES else "__init__" for rest in inside}


def test_every_module_has_its_place():
    """A new module is given its place in the order, once."""
    assert SOURCES.keys() <= set(ORDER)
    assert len(set(ORDER)) == len(ORDER)


@pytest.mark.parametrize("module", [name for name in ORDER if name in SOURCES])
def test_imports_point_one_way(module):
    """A module imports only those before it, and hides no import in a function."""
    tree = ast.parse(SOURCES[module].read_text(encoding="utf-8"))
    assert own_imports(tree) <= set(ORDER[: ORDER.index(module)])
    if module != "__main__":
        functions = [node for node in ast.walk(tree) if isinstance(node, FUNCTIONS)]
        assert {name for node in functions for name in own_imports(node)} == set()
