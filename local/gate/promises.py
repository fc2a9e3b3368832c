"""Compares docs/promises.md with the tests' marks: a promise is listed if and only if a test holds it."""

import ast
import re
from pathlib import Path

from local.folders import CHECKOUT
from local.gate.sources import files, finish

LIST = CHECKOUT / "docs" / "promises.md"
ROW = re.compile(r"^\|\s*([A-Z]{1,2}-\d+)\s*\|(.*)$", re.MULTILINE)
TEST = re.compile(r"\btest_\w+")


def listed(text: str) -> dict[str, set[str]]:
    """Promises of the list with the tests that their rows name: `| A-01 | … | test_this, test_that |`."""
    return {number: set(TEST.findall(rest)) for number, rest in ROW.findall(text)}


def marked(tree: ast.Module) -> dict[str, set[str]]:
    """Promises of one test file's `@promise("A-01", …)` marks, on tests or classes, with the tests' names."""
    found: dict[str, set[str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            inside = [node] if isinstance(node, ast.FunctionDef) else node.body
            tests = {
                item.name for item in inside if isinstance(item, ast.FunctionDef) and item.name.startswith("test_")
            }
            for number in _numbers(node):
                found.setdefault(number, set()).update(tests)
    return found


def _numbers(node: ast.FunctionDef | ast.ClassDef) -> list[str]:
    calls = [mark for mark in node.decorator_list if isinstance(mark, ast.Call)]
    promises = [call for call in calls if ast.unparse(call.func).split(".")[-1] == "promise"]
    return [str(value.value) for call in promises for value in call.args if isinstance(value, ast.Constant)]


def findings() -> list[str]:
    """Where list and marks differ; rows that name no test are promises still to come."""
    text = LIST.read_text() if LIST.exists() else ""
    promised = listed(text)
    held: dict[str, set[str]] = {}
    for path in files("tests/*.py"):
        for number, tests in marked(ast.parse((CHECKOUT / path).read_text())).items():
            held.setdefault(number, set()).update(tests)
    name = Path("docs/promises.md")
    found = [f"{number}: marked in the tests, but not in {name}" for number in sorted(held.keys() - promised.keys())]
    for number, tests in promised.items():
        missing = sorted(tests - held.get(number, set()))
        unlisted = sorted(held.get(number, set()) - tests) if number in held else []
        found += [f"{number}: {name} names {test}, which is not marked with it" for test in missing]
        found += [f"{number}: {test} is marked with it, but {name} does not name it" for test in unlisted]
    return found


if __name__ == "__main__":
    finish(findings())
