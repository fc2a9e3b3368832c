"""The verbs of ./ksc, which checks the verb before it comes here."""

import signal
import sys
from types import FrameType

from local import bench, check, demo, manage, screenshots, test
from local.report import Stop

VERBS = {
    "demo": demo.run,
    "test": test.run,
    "check": check.run,
    "bench": bench.run,
    "manage": manage.run,
    "screenshots": screenshots.run,
}


def interrupt(number: int, frame: FrameType | None) -> None:
    """A polite kill ends ./ksc as Ctrl-C does, also in the background, so that it takes down what it started."""
    raise KeyboardInterrupt


def main() -> int:
    """Run the verb; the exit status is the command's own."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    try:
        return VERBS[sys.argv[1]](sys.argv[2:])
    except Stop as stop:
        print(f"ksc: {stop}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
