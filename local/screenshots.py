"""./ksc screenshots: the pictures of README and of the help page, made anew from a demo of their own."""

import os
import shutil
import signal
import subprocess
import sys
import time

from local import folders, packages, ports
from local.report import Stop, say

READY_SECONDS = 120.0
STOP_SECONDS = 60.0


def run(arguments: list[str]) -> int:
    """Start a demo in a state folder of its own, take the pictures, stop it."""
    packages.ensure("postgresql", "browser")
    # Of an earlier run everybody has a second factor by now.
    shutil.rmtree(folders.state("screenshots"))
    state = folders.state("screenshots")
    described, [port] = state / "demo.json", ports.free(1)
    described.unlink(missing_ok=True)
    say("a demo for the pictures")
    demo = subprocess.Popen(
        [sys.executable, "-m", "local", "demo", "--port", str(port)],
        cwd=folders.CHECKOUT,
        env=os.environ | {"KSC_VAR": str(state)},
        stdout=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + READY_SECONDS
        while not described.exists():
            if demo.poll() is not None or time.monotonic() > deadline:
                raise Stop("the demo for the pictures did not start")
            time.sleep(0.2)
        return subprocess.run(
            [sys.executable, "-m", "local.pictures", described], cwd=folders.CHECKOUT, check=False
        ).returncode
    finally:
        demo.send_signal(signal.SIGINT)
        demo.wait(STOP_SECONDS)
