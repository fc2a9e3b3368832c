"""The portal itself over the mail servers' database, for tests of what they tell it."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator

from local import environment
from local.ports import is_free
from tests.mailserver.database import ROOT, Database

VERDICTS_SECRET = "verdicts-of-the-tests-" * 2
READY_SECONDS = 30


@contextlib.contextmanager
def portal(database: Database, port: int) -> Iterator[None]:
    """Have it serve on this port meanwhile."""
    given = environment.base(database.cluster.state, port) | database.cluster.environment()
    env = environment.serving(given | {"VERDICTS_SECRET": VERDICTS_SECRET, "BASE_URL": f"http://localhost:{port}"})
    command = [sys.executable, "-m", "gunicorn", "--worker-class", "gthread", "--threads", "4"]
    serving = subprocess.Popen(
        [*command, "kscsite.wsgi:application", "--bind", f"127.0.0.1:{port}"],
        cwd=ROOT,
        env=env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + READY_SECONDS
        while is_free(port):
            assert serving.poll() is None and time.monotonic() < deadline
            time.sleep(0.1)
        yield
    finally:
        serving.terminate()
        serving.wait(30)
