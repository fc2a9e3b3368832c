"""What ./ksc says to the person at the terminal."""

import sys


class Stop(Exception):
    """Ends ./ksc with this message and exit status 1."""


def say(message: str) -> None:
    """One line of progress; stdout stays free for results."""
    print(f"ksc: {message}", file=sys.stderr, flush=True)
