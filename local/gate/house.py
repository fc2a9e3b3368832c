"""Holds the house's numbers: mutual imports, function-level imports, `_auto_` migrations, file names, TODO: none."""

import ast
import itertools
import re
from pathlib import Path

from local.folders import CHECKOUT
from local.gate.sources import CODE, files, finish

BANNED = {"utils", "helpers", "common", "services", "mixins", "constants"}
# The PDF library takes a third of a second to import, which only the process that draws letters should pay.
IMPORTS_LATE = {Path("mailboxes/letters.py"), Path("mailboxes/departure_admin.py")}
TODO = re.compile(r"\b(TODO|FIXME|XXX)\b")
TEXTS = ("*.py", "*.html", "*.css", "*.js", "*.sql", "*.cf", "*.conf", "*.toml", "*.txt", "ksc", ".ci/run")


def late_imports(path: Path, tree: ast.Module) -> list[str]:
    """Imports inside functions."""
    if path in IMPORTS_LATE:
        return []
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    inside = {
        node.lineno for body in functions for node in ast.walk(body) if isinstance(node, ast.Import | ast.ImportFrom)
    }
    return [f"{path}:{line}: import inside a function" for line in sorted(inside)]


def imported_parts(tree: ast.Module) -> set[str]:
    """Top-level packages that a module imports."""
    names = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module]
    return {name.partition(".")[0] for name in names}


def mutual(imports: dict[str, set[str]]) -> list[str]:
    """Pairs of packages that import each other."""
    pairs = itertools.combinations(sorted(imports), 2)
    return [f"{a} and {b} import each other" for a, b in pairs if b in imports[a] and a in imports[b]]


def findings() -> list[str]:
    """All that breaks the rules."""
    found = []
    imports: dict[str, set[str]] = {part: set() for part in CODE}
    for path in files("*.py"):
        tree = ast.parse((CHECKOUT / path).read_text())
        found += late_imports(path, tree)
        if path.parts[0] in imports:
            imports[path.parts[0]] |= imported_parts(tree)
        if path.stem in BANNED or BANNED & set(path.parts[:-1]):
            found.append(f"{path}: a file or folder of this name is a drawer for anything; name the thing")
        if "migrations" in path.parts and "_auto_" in path.stem:
            found.append(f"{path}: name the migration")
    for path in files(*TEXTS):
        if path == Path(__file__).relative_to(CHECKOUT):
            continue
        lines = (CHECKOUT / path).read_text(errors="replace").splitlines()
        found += [f"{path}:{number}: unfinished" for number, line in enumerate(lines, 1) if TODO.search(line)]
    return found + mutual(imports)


if __name__ == "__main__":
    finish(findings())
