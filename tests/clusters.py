"""A migrated cluster for whoever needs one of its own: a copy of one that is made once, until a migration changes."""

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

from local import environment, folders
from local.cluster import Cluster
from tests.database import ROOT, fingerprint

PREFIX = "migrated-"


def lay(state: Path):
    """Put a migrated cluster that does not run, with its secrets, into a state folder."""
    place = Path(os.environ["KSC_TEST_STATE"])
    with (place / f"{PREFIX}lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        made = place / (PREFIX + fingerprint())
        if not made.exists():
            make(place / f"{PREFIX}unfinished").rename(made)
            for old in set(place.glob(f"{PREFIX}*/")) - {made}:
                shutil.rmtree(old)
        for folder in ("postgres", "secrets"):
            shutil.copytree(made / folder, folders.private(state) / folder)


def make(state: Path) -> Path:
    """A cluster as a first start leaves it."""
    cluster = Cluster(folders.private(state), for_tests=True)
    # A run that was killed may have left one that runs.
    cluster.stop()
    shutil.rmtree(state)
    cluster = Cluster(folders.private(state), for_tests=True)
    cluster.start()
    try:
        variables = environment.base(state) | cluster.environment()
        command = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
        subprocess.run(command, cwd=ROOT, env=variables, check=True)
    finally:
        cluster.stop()
        folders.remove_runtime(state)
    return state
