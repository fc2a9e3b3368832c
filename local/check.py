"""./ksc check, the gate: everything that can be judged without a database, two steps at a time."""

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from local import packages
from local.folders import CHECKOUT

PYTHON = sys.executable
# Settings need an address and a database to name; nothing here connects to it.
ENVIRONMENT = {
    "DJANGO_SETTINGS_MODULE": "kscsite.settings",
    "SECRET_KEY": "only-for-the-gate",
    "APP_PASSWORD_PEPPER": "only-for-the-gate-of-this-checkout",
    "BASE_URL": "http://localhost:8000",
    "DATABASE_URL": "postgresql://ksc_app@localhost:1/ksc",
    "DATABASE_OWNER_URL": "postgresql://ksc_owner@localhost:1/ksc",
}
IMPORTS = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports())"
# The longest first.
STEPS = {
    "types": [PYTHON, "-m", "mypy"],
    "messages": [PYTHON, "-m", "local.gate.messages"],
    "templates": [PYTHON, "-m", "local.gate.templates"],
    "migrations": [PYTHON, "-m", "local.gate.migrations"],
    "imports": [PYTHON, "-c", IMPORTS],
    "house": [PYTHON, "-m", "local.gate.house"],
    "promises": [PYTHON, "-m", "local.gate.promises"],
    "format": [PYTHON, "-m", "ruff", "format", "--check", "."],
    "lint": [PYTHON, "-m", "ruff", "check", "."],
}


@dataclass
class Result:
    """How one step went."""

    name: str
    passed: bool
    seconds: float
    output: str

    def show(self) -> None:
        """One line; the output only of what failed."""
        print(f"{'ok    ' if self.passed else 'FAILED'} {self.name:12} {self.seconds:5.1f} s", flush=True)
        if not self.passed:
            print(self.output.rstrip(), flush=True)


def run(arguments: list[str]) -> int:
    """Run all steps, or those that are named; 1 when one fails."""
    unknown = [name for name in arguments if name not in STEPS]
    if unknown:
        print(f"ksc: no step {unknown[0]}; there are {', '.join(STEPS)}", file=sys.stderr)
        return 2
    names = arguments or list(STEPS)
    if "messages" in names:
        packages.ensure("gettext")
    begun = time.monotonic()
    failed = 0
    with ThreadPoolExecutor(max_workers=2) as pool:
        for result in [pool.submit(_step, name) for name in STEPS if name in names]:
            result.result().show()
            failed += not result.result().passed
    print(f"{len(names) - failed} of {len(names)} passed in {time.monotonic() - begun:.1f} s")
    return 1 if failed else 0


def _step(name: str) -> Result:
    begun = time.monotonic()
    environment = os.environ | ENVIRONMENT
    done = subprocess.run(
        STEPS[name],
        cwd=CHECKOUT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return Result(name, done.returncode == 0, time.monotonic() - begun, done.stdout)
