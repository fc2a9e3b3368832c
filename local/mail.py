"""The real mail servers beside the demo: pgbouncer and the stack of the package mailserver."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from local import folders
from local.cluster import Cluster
from local.pgbouncer import ADMITTED, Pgbouncer
from local.report import Stop, say
from mailserver.launch import LaunchError, Stack
from mailserver.settings import Settings

# What demo.json names; doveadm's and the filters' ports are nobody's business.
SHOWN = ("imaps", "imap", "pop3s", "smtp", "submission", "lmtp", "sieve")


@dataclass
class Servers:
    """The running servers as the portal and the demo's users see them."""

    stack: Stack
    key: str

    def ports(self) -> dict[str, Any]:
        """Host and ports for people and scripts."""
        ports = asdict(self.stack.ports)
        return {"host": "localhost"} | {name: ports[name] for name in SHOWN}

    def environment(self) -> dict[str, str]:
        """How the portal reaches Dovecot's administration."""
        return {"DOVEADM_URL": f"http://127.0.0.1:{self.stack.ports.doveadm}", "DOVEADM_API_KEY": self.key}


def require_root() -> None:
    """The servers switch between system users, which only root can do."""
    if os.geteuid() != 0:
        raise Stop("the mail servers need root:\n  sudo ./ksc demo --mail")


@contextlib.contextmanager
def servers(cluster: Cluster) -> Iterator[Servers]:
    """Have pgbouncer and the mail servers running meanwhile."""
    runtime = folders.make_runtime(cluster.state) / "mail"
    key = folders.kept_secret(cluster.state, "doveadm_api_key")
    gate = Pgbouncer(cluster)
    gate.start()
    passwords = {f"{role}_password": folders.kept_secret(cluster.state, role) for role in ADMITTED}
    settings = Settings.loopback(
        runtime, database_port=gate.port, database_name=gate.database, doveadm_api_key=key, **passwords
    )
    stack = Stack(settings, runtime)
    try:
        stack.start(progress=say)
        stack.wait_ready(progress=say)
        yield Servers(stack, key)
    except LaunchError as error:
        raise Stop(str(error)) from error
    finally:
        stack.stop()
        gate.stop()
