"""Finds and ends the daemons of one runtime folder, also those that an earlier, killed launcher left behind."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable
from pathlib import Path

DAEMONS = (
    *("/usr/lib/postfix/", "/usr/sbin/postfix", "/usr/lib/dovecot/", "/usr/sbin/dovecot"),
    # Redis is one program of several names.
    *("/usr/bin/rspamd", "/usr/bin/redis-", "/usr/sbin/postsrsd"),
)
TERMINATE_SECONDS = 8.0
KILL_SECONDS = 5.0


def daemons_in(folder: Path) -> set[int]:
    """Return the ids of the mail daemons whose working directory is `folder` or below it."""
    # Process titles are rewritten and pid files may be stale, but all servers stay where they were started.
    home = folder.resolve()
    found = set()
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and str((entry / "exe").readlink()).startswith(DAEMONS):
                directory = str((entry / "cwd").readlink()).removesuffix(" (deleted)")
                if f"{directory}/".startswith(f"{home}/"):
                    found.add(int(entry.name))
        except OSError:
            continue
    return found


def end_daemons_in(folder: Path, reap: Callable[[], None] = lambda: None) -> None:
    """End every mail daemon of `folder`: masters are asked first, what is left after some seconds is killed."""
    for number, patience in ((signal.SIGTERM, TERMINATE_SECONDS), (signal.SIGKILL, KILL_SECONDS)):
        _send(daemons_in(folder), number)
        deadline = time.monotonic() + patience
        while (left := daemons_in(folder)) and time.monotonic() < deadline:
            reap()
            time.sleep(0.05)
        if not left:
            return
    raise TimeoutError(f"mail daemons of {folder} did not end: {sorted(left)}")


def _send(processes: Iterable[int], number: signal.Signals) -> None:
    for process in processes:
        try:
            os.kill(process, number)
        except ProcessLookupError:
            continue
