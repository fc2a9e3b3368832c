"""Free TCP ports on 127.0.0.1 below the range that the kernel hands out to outgoing connections."""

import random
import socket

LOWEST, HIGHEST = 10240, 32767
TRIES = 500


def is_free(port: int) -> bool:
    """Whether nothing listens on the port of 127.0.0.1."""
    with socket.socket() as probe:
        # As servers do, so that a port whose last connection is still in TIME_WAIT counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free(count: int) -> list[int]:
    """So many different free ports; chosen at random, since other checkouts choose at the same time."""
    found: list[int] = []
    for port in random.sample(range(LOWEST, HIGHEST + 1), TRIES):
        if len(found) < count and is_free(port):
            found.append(port)
    return found
