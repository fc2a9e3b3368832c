"""The real mail servers beside the demo: pgbouncer and the stack of the package mailserver."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
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
    verdicts: str

    def ports(self) -> dict[str, Any]:
        """Host and ports for people and scripts."""
        ports = asdict(self.stack.ports)
        return {"host": "localhost"} | {name: ports[name] for name in SHOWN}

    def environment(self) -> dict[str, str]:
        """How the portal reaches Dovecot's administration and Rspamd's Redis, and how it knows Rspamd."""
        return {
            "DOVEADM_URL": f"http://127.0.0.1:{self.stack.ports.doveadm}",
            "DOVEADM_API_KEY": self.key,
            "REDIS_URL": f"unix://{self.stack.settings.redis}",
            "VERDICTS_SECRET": self.verdicts,
        }


def require_root() -> None:
    """The servers switch between system users, which only root can do."""
    if os.geteuid() != 0:
        raise Stop("the mail servers need root:\n  sudo ./ksc demo --mail")


@contextlib.contextmanager
def kept_cache(state: Path, place: Path) -> Iterator[None]:
    """Give Rspamd the patterns that an earlier run compiled, and keep this run's: it saves 11 seconds.

    The copy stays in the state folder (or KSC_RSPAMD_CACHE), which Rspamd's user cannot enter.
    """
    kept = Path(os.environ.get("KSC_RSPAMD_CACHE") or state / "rspamd-cache")
    if kept.is_dir():
        shutil.copytree(kept, place, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".*"))
        for path in (place, *place.iterdir()):
            shutil.chown(path, "_rspamd", "_rspamd")
    try:
        yield
    finally:
        kept.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path in place.glob("*.hs*"):
            if not (kept / path.name).exists():
                # Another run may read while this one writes: the name appears with all of its content.
                part = kept / f".{path.name}.{os.getpid()}"
                shutil.copy(path, part)
                part.rename(kept / path.name)


@contextlib.contextmanager
def servers(cluster: Cluster, pepper: str, portal: int) -> Iterator[Servers]:
    """Have pgbouncer and the mail servers running meanwhile.

    `pepper` is the portal's for app passwords, `portal` the port on which Rspamd tells it what it said of messages.
    """
    runtime = folders.make_runtime(cluster.state) / "mail"
    key, verdicts = (folders.kept_secret(cluster.state, name) for name in ("doveadm_api_key", "verdicts_secret"))
    gate = Pgbouncer(cluster)
    gate.start()
    passwords = {f"{role}_password": folders.kept_secret(cluster.state, role) for role in ADMITTED}
    settings = Settings.loopback(
        runtime,
        database_port=gate.port,
        database_name=gate.database,
        doveadm_api_key=key,
        app_password_pepper=pepper,
        srs_domain="srs.musterdomain.de",
        srs_secret=folders.kept_secret(cluster.state, "srs_secret"),
        verdicts_url=f"http://127.0.0.1:{portal}/rspamd/verdicts",
        verdicts_secret=verdicts,
        **passwords,
    )
    stack = Stack(settings, runtime)
    try:
        with kept_cache(cluster.state, stack.rspamd_cache):
            stack.start(progress=say)
            stack.wait_ready(progress=say)
            yield Servers(stack, key, verdicts)
    except LaunchError as error:
        raise Stop(str(error)) from error
    finally:
        stack.stop()
        gate.stop()
