"""Child processes that ./ksc starts: each with a log, ended with its parent, all stopped in reverse order."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from local.cluster import tail
from local.folders import CHECKOUT, private
from local.report import Stop

# The kernel ends the child when ./ksc is killed, so nothing is left behind.
WITH_PARENT = ["setpriv", "--pdeathsig", "TERM", "--"]
GRACE_SECONDS = 10.0


@dataclass
class Child:
    """One process and its log."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path


@dataclass
class Children:
    """The processes of one run."""

    logs: Path
    running: list[Child] = field(default_factory=list)

    def start(self, name: str, command: Sequence[str | Path], environment: Mapping[str, str]) -> Child:
        """Start a process in a group of its own, so that Ctrl-C reaches only ./ksc, which stops it in order."""
        log = private(self.logs) / f"{name}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*WITH_PARENT, *command],
                cwd=CHECKOUT,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        child = Child(name, process, log)
        self.running.append(child)
        return child

    def check(self) -> None:
        """Raise with the end of its log if a process has died."""
        for child in self.running:
            status = child.process.poll()
            if status is not None:
                raise Stop(
                    f"{child.name} ended with status {status}; its log {child.log} ends with:\n{tail(child.log)}"
                )

    def stop(self) -> None:
        """Stop the processes, the youngest first."""
        for child in reversed(self.running):
            with contextlib.suppress(ProcessLookupError):
                child.process.terminate()
        deadline = time.monotonic() + GRACE_SECONDS
        for child in reversed(self.running):
            try:
                child.process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(child.process.pid, signal.SIGKILL)
                child.process.wait()
        self.running.clear()
