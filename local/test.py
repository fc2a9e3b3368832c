"""./ksc test: sets up all that the tests need, then runs pytest."""

import os
import subprocess
import sys

from local import binaries, environment, folders, packages
from local.report import say

# Two processes on two cores; a file's tests share the servers that they start, and the longest begin first.
PYTEST = ["-m", "pytest", "-n", "2"]
EVERYTHING = ["--dist", "loadfile", "--no-loadscope-reorder"]
BY_PIP_ALONE = ["-m", "not real", "--dist", "worksteal"]
QUICK = ["-m", "not real and not thorough", "--dist", "worksteal"]
PACKAGES = ("postgresql", "mail", "browser", "gettext")
FOR_TESTS = {
    "BASE_URL": "http://localhost:8000",
    "SECRET_KEY": "only-for-tests",
    "ARGON2_MEMORY_KIB": "8",
    "ARGON2_TIME_COST": "1",
    "STATIC_UNHASHED": "true",
    # A demo that another test starts collects anew meanwhile.
    "STATIC_ROOT": "there-are-none",
    "EMAIL_URL": "memorymail://",
    # Playwright's own loop makes Django believe that database calls come from asynchronous code.
    "DJANGO_ALLOW_ASYNC_UNSAFE": "true",
}


def run(arguments: list[str]) -> int:
    """Run the tests; in CI those that pip alone can run are run on the other PostgreSQL as well."""
    quick, long = "--quick" in arguments, "--long" in arguments
    rest = [argument for argument in arguments if argument not in ("--quick", "--long")]
    if not quick:
        packages.ensure(*PACKAGES)
    which = QUICK if quick else EVERYTHING
    status = _pytest(binaries.source(), [*which, *rest], long)
    if not status and os.environ.get("CI") == "true" and not environment.external():
        other = _other(binaries.source())
        if other:
            status = _pytest(other, [*BY_PIP_ALONE, *rest], long)
    return status


def _other(source: str) -> str | None:
    available = {"system": binaries.system, "wheel": binaries.wheel}
    other = next(choice for choice in binaries.CHOICES if choice != source)
    if available[other]():
        return other
    say(f"there is no {other} PostgreSQL here, so the tests ran on one only")
    return None


def _pytest(source: str, arguments: list[str], long: bool) -> int:
    os.environ["KSC_POSTGRES"] = source
    state = folders.state("test", source)
    with environment.running(state, for_tests=True) as (cluster, env):
        if not environment.external():
            say(f"tests on {binaries.find()}")
        given = {
            "KSC_TEST_STATE": str(cluster.state),
            "KSC_TEST_RUNTIME": str(folders.make_runtime(state)),
            "KSC_RSPAMD_CACHE": str(folders.state("rspamd-cache")),
        }
        env |= FOR_TESTS | given | ({"KSC_LONG": "1"} if long else {})
        # Bytecode is kept, out of the way, also where the caller wants none beside the sources.
        env |= {"PYTHONPYCACHEPREFIX": str(folders.state("test", "pycache")), "PYTHONDONTWRITEBYTECODE": ""}
        command = [sys.executable, *PYTEST, *arguments]
        return subprocess.run(command, cwd=folders.CHECKOUT, env=env, check=False).returncode
