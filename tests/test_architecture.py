"""The folders are the layers: a wing imports from those below it, and none runs in a circle."""

from __future__ import annotations

import ast
import graphlib
from pathlib import Path

import pytest

import mplogging

GROUND = "ground floor"
# What each wing may import from, besides itself; the lowest first.
MAY_IMPORT = {
    GROUND: (),
    "_file": (GROUND,),
    "_queues": (GROUND, "_file"),
    "_wire": (GROUND,),
    "_reading": (GROUND, "_file"),
    "_delivery": (GROUND, "_file", "_wire"),
    "_worker": (GROUND, "_file", "_wire", "_delivery"),
    "_watch": (GROUND, "_file", "_wire", "_delivery", "_worker"),
    "_session": (GROUND, "_file", "_wire", "_delivery", "_worker", "_watch"),
    "_commands": (
        GROUND, "_file", "_wire", "_reading", "_delivery", "_worker", "_watch",
        "_session",
    ),
}
GROUND_FLOOR = (
    "_errors", "_event", "_closing", "_numbers", "_levels", "_unmade", "_records", "_lock",
    "_exceptions", "_limit", "_public", "_forks",
)
ROOF = ("__init__", "__main__", "testing")  # of the package itself: may import from every wing

ROOT = Path(mplogging.__path__[0])
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
SOURCES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts): path
    for path in ROOT.rglob("*.py")
    if "docs" not in path.relative_to(ROOT).parts  # programs for users to copy
}


def wing_of(module: str) -> str:
    """The wing that a module stands in; itself if it stands beside the wings."""
    folder, _, rest = module.partition(".")
    return folder if rest else GROUND if module in GROUND_FLOOR else module


def own_imports(module: str, tree: ast.AST) -> set[str]:
    """The package's modules that anything in `tree` imports, at whatever depth."""
    here = ["mplogging", *module.split(".")]
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = here[: len(here) - node.level] if node.level else []
            names += [
                ".".join([*above, *(node.module or "").split("."), alias.name]).replace("..", ".")
                for alias in node.names
            ]
    inside = [name.split(".")[1:] for name in names if name.split(".")[0] == "mplogging"]
    return {module_named(parts) for parts in inside}


def module_named(parts: list[str]) -> str:
    """The module that holds what is imported under this name."""
    for length in range(len(parts), 0, -1):
        for ending in ([], ["__init__"]):
            if (name := ".".join(parts[:length] + ending)) in SOURCES:
                return name
    return "__init__"


def tree_of(module: str) -> ast.AST:
    return ast.parse(SOURCES[module].read_text(encoding="utf-8"))


def test_every_module_has_its_place():
    """A new folder, or a module beside the wings, is given its place in the order."""
    assert {wing_of(module) for module in SOURCES} == {*MAY_IMPORT, *ROOF}
    assert {module for module in SOURCES if wing_of(module) == GROUND} == set(GROUND_FLOOR)


@pytest.mark.parametrize("module", sorted(SOURCES.keys() - set(ROOF)))
def test_imports_point_down(module):
    """A module imports from its own wing and those below it; from a wing's rooms, not the wing."""
    imported = own_imports(module, tree_of(module))
    allowed = {wing_of(module), *MAY_IMPORT[wing_of(module)]}
    assert {name for name in imported if wing_of(name) not in allowed} == set()
    assert {name for name in imported if name.endswith("__init__")} == set()


@pytest.mark.parametrize("module", sorted(SOURCES.keys() - {"__main__"}))
def test_no_import_hides_in_a_function(module):
    """What a module needs of the package stands at its top."""
    functions = [node for node in ast.walk(tree_of(module)) if isinstance(node, FUNCTIONS)]
    assert {name for node in functions for name in own_imports(module, node)} == set()


@pytest.mark.parametrize("wing", MAY_IMPORT)
def test_nothing_runs_in_a_circle(wing):
    """Inside a wing, too, imports point one way."""
    modules = [module for module in SOURCES if wing_of(module) == wing]
    graph = {module: own_imports(module, tree_of(module)) & set(modules) for module in modules}
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError


@pytest.mark.parametrize("wing", sorted(MAY_IMPORT.keys() - {GROUND}))
def test_a_wing_says_what_it_is_for(wing):
    """Its `__init__` is a docstring and nothing else: nothing is exported again."""
    (statement,) = tree_of(f"{wing}.__init__").body
    assert "Rules of this wing" in ast.literal_eval(statement.value)


def test_an_import_against_the_order_is_seen():
    """The checks above can fail: each way to write such an import is understood."""
    for text in (
        "from .._session.run import Run", "from .._session import run",
        "import mplogging._session.run", "from mplogging._session import run",
        "def later():\n    from .._session import run",
    ):
        assert own_imports("_file.names", ast.parse(text)) == {"_session.run"}
    assert own_imports("_file.names", ast.parse("from . import periods")) == {"_file.periods"}
    assert own_imports("_file.names", ast.parse("from .._wire import x")) == {"_wire.__init__"}
    assert own_imports("_file.names", ast.parse("from mplogging import x")) == {"__init__"}
