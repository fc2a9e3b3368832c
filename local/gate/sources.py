"""The repository's own files, as git has them, and how a step ends."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from local.folders import CHECKOUT

CODE = ("kscsite", "filters", "mailboxes", "accounts", "local", "mailserver", "bench")


def files(*patterns: str) -> list[Path]:
    """Tracked and new files that match, relative to the checkout; ignored ones are left out."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *patterns]
    names = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout.split("\0")
    return [Path(name) for name in sorted(set(names)) if name and (CHECKOUT / name).is_file()]


def finish(findings: Sequence[str]) -> None:
    """Print the findings and end the step."""
    print("\n".join(findings))
    sys.exit(1 if findings else 0)
