"""PostgreSQL and pgbouncer refuse to run as root; this says how root runs them without making a user."""

import functools
import os
import subprocess
from pathlib import Path

from local.report import Stop

NOBODY = 65534
NAMESPACE = ["unshare", "--user", "--map-user=1000", "--map-group=1000", "--"]
# With dac_override the process may pass the 0700 folders above the checkout, which stay as they are.
DROPPED = [
    "setpriv",
    f"--reuid={NOBODY}",
    f"--regid={NOBODY}",
    "--clear-groups",
    "--inh-caps=+dac_override",
    "--ambient-caps=+dac_override",
    "--",
]


@functools.cache
def prefix() -> list[str]:
    """The command that stands before a program which must not be root; empty for an ordinary user."""
    if os.geteuid() != 0:
        return []
    for way in (NAMESPACE, DROPPED):
        try:
            done = subprocess.run([*way, "true"], capture_output=True, check=False)
        except FileNotFoundError:
            continue
        if done.returncode == 0:
            return way
    raise Stop("as root neither user namespaces (unshare) nor setpriv work here; run ./ksc as an ordinary user")


def only_by_capability() -> bool:
    """Whether 0700 folders are passed by capability alone, of which access(2) knows nothing; initdb asks it."""
    return prefix() is DROPPED


def give(folder: Path) -> Path:
    """Hand a folder and all in it to the user behind prefix(); in a namespace that is still root."""
    if prefix() is DROPPED:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
    return folder
