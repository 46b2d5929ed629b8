"""The ledger looks at nothing but what it is given."""

import ast
from pathlib import Path

import pytest

import kcompliance.ledger

MODULES = sorted(Path(kcompliance.ledger.__file__).parent.glob("*.py"))
ALLOWED = {
    "base64",
    "binascii",
    "collections",
    "cryptography",
    "dataclasses",
    "datetime",
    "enum",
    "hashlib",
    "json",
    "kcompliance.errors",
    "kcompliance.ledger",
    "kcompliance.model",
    "re",
    "rfc8785",
    "tomli_w",
    "tomllib",
    "types",
    "typing",
    "unicodedata",
    "uuid",
}
ASKS_THE_WORLD = {"now", "utcnow", "today", "open", "print", "input", "uuid1", "uuid4", "generate"}


def imported(tree: ast.AST) -> set[str]:
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return names


def called(tree: ast.AST) -> set[str]:
    functions = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return {
        function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")
        for function in functions
    }


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.stem)
def test_the_ledger_is_pure(module: Path) -> None:
    tree = ast.parse(module.read_text(encoding="utf-8"))
    for name in imported(tree):
        assert any(name == each or name.startswith(each + ".") for each in ALLOWED), name
    assert not called(tree) & ASKS_THE_WORLD


def test_the_public_names_are_all_there() -> None:
    assert all(hasattr(kcompliance.ledger, name) for name in kcompliance.ledger.__all__)
