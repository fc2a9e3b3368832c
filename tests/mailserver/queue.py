"""Postfix's own tools: what waits in its queue, and to have it tried again at once."""

from __future__ import annotations

import json
import subprocess
import time
from typing import Any

from tests.mailserver.conftest import Running


def postfix(stack: Running, program: str, *arguments: str) -> str:
    """What one of Postfix's programs says."""
    command = [program, "-c", stack.launcher.settings.postfix_config, *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout


def waiting(stack: Running) -> list[dict[str, Any]]:
    """The messages in the queue."""
    return [json.loads(line) for line in postfix(stack, "postqueue", "-j").splitlines()]


def deferred(stack: Running, recipient: str, *, timeout: float = 20) -> str:
    """Why a message to this address is put off, as soon as it is."""
    deadline = time.monotonic() + timeout
    while True:
        for mail in waiting(stack):
            for each in mail["recipients"]:
                if each["address"] == recipient and mail["queue_name"] == "deferred":
                    return str(each["delay_reason"])
        assert time.monotonic() < deadline, waiting(stack)
        time.sleep(0.05)


def drain(stack: Running, patience: float = 60) -> None:
    """Wait until nothing is in the queue; what had to wait is tried again at once."""
    deadline = time.monotonic() + patience
    while mails := waiting(stack):
        assert time.monotonic() < deadline, mails
        if any(each["queue_name"] == "deferred" for each in mails):
            postfix(stack, "postqueue", "-f")
            time.sleep(0.5)
        time.sleep(0.05)
