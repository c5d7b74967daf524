"""Holds the CONTRACT tables of the test_contract_* modules to docs/cli.md and to the tests that they name."""

import ast
from pathlib import Path

from contract_page import Page
from program_help import PROGRAMS

HERE = Path(__file__).parent


def tests_of(path):
    """{"Class.test_name", …} of a module, and its classes."""
    found = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ClassDef):
            tests = {f"{node.name}.{item.name}" for item in node.body
                     if isinstance(item, ast.FunctionDef) and item.name.startswith("test_")}
            if tests:
                found |= tests | {node.name}
    return found


def exists(name, path):
    """Whether "[module.]Class[.test]" or "module" names tests; without a module, of the file at `path`."""
    head, _, rest = name.partition(".")
    if not head.startswith("test_"):
        return name in tests_of(Path(path))
    module = HERE / f"{head}.py"
    return module.exists() and (not rest or rest in tests_of(module))


def assert_covers(test, heading, contract, path, also=()):
    """Every option of the page under this heading, and each of `also`, has a row, and every row names tests that exist."""
    page = Page()
    options = set(page.options(heading)) | (set(page.options("All three")) if heading in PROGRAMS else set())
    test.assertEqual(set(), (options | set(also)) - set(contract), f"{heading}: no test is named for these")
    gone = {row for row in contract if row.startswith("--")} - options - set(also)
    test.assertEqual(set(), gone, f"{heading}: rows of options that are not there")
    missing = {name for names in contract.values() for name in names if not exists(name, path)}
    test.assertEqual(set(), missing, f"{heading}: named tests that do not exist")
