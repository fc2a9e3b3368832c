"""pgbouncer in front of the private cluster: the mail servers' only way in, on 127.0.0.1, for their roles alone."""

import os
import shutil
import subprocess
import time
from pathlib import Path

from local import folders, unprivileged
from local.cluster import DATABASE, Cluster, tail
from local.ports import free
from local.report import Stop

ADMITTED = ("mail_ro", "mail_auth", "mail_usage")
START_SECONDS = 10.0


class Pgbouncer:
    """One pgbouncer for one database of the cluster; session pooling, so that it is transparent to libpq."""

    def __init__(self, cluster: Cluster, database: str = DATABASE, name: str = "pgbouncer") -> None:
        self.cluster, self.database = cluster, database
        self.folder = folders.make_runtime(cluster.state) / name
        self.port = 0
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it on a free port and wait until it answers."""
        program = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
        if not program:
            raise Stop("pgbouncer is not installed")
        self.port = free(1)[0]
        self._configure()
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [*unprivileged.prefix(), "setpriv", "--pdeathsig", "INT", "--", program, self.folder / "ini"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._wait()

    def stop(self) -> None:
        """Stop it at once; its clients reconnect or give up."""
        if self.process:
            self.process.terminate()
            self.process.wait()
            self.process = None

    def dsn(self, role: str) -> dict[str, str]:
        """What a mail server needs to log in as one of the admitted roles."""
        password = folders.kept_secret(self.cluster.state, role)
        return {
            "host": "127.0.0.1",
            "port": str(self.port),
            "dbname": self.database,
            "user": role,
            "password": password,
        }

    def _configure(self) -> None:
        folders.private(self.folder)
        users = [f'"{role}" "{folders.kept_secret(self.cluster.state, role)}"\n' for role in ADMITTED]
        folders.write_private(self.folder / "users", "".join(users))
        lines = [
            "[databases]",
            f"{self.database} = host={self.cluster.socket} port=5432 dbname={self.database}",
            "[pgbouncer]",
            "listen_addr = 127.0.0.1",
            f"listen_port = {self.port}",
            "unix_socket_dir =",
            "auth_type = scram-sha-256",
            f"auth_file = {self.folder / 'users'}",
            "pool_mode = session",
            "max_client_conn = 200",
            "default_pool_size = 40",
            # Mail servers answer "try again" soon instead of hanging while the database is away.
            "query_wait_timeout = 5",
            "server_connect_timeout = 3",
            "server_login_retry = 1",
            "ignore_startup_parameters = extra_float_digits",
            "log_connections = 0",
            "log_disconnections = 0",
        ]
        folders.write_private(self.folder / "ini", "\n".join(lines) + "\n")
        unprivileged.give(self.folder)

    def _wait(self) -> None:
        log = self.folder / "log"
        deadline = time.monotonic() + START_SECONDS
        while "process up" not in tail(log):
            if self.process is None or self.process.poll() is not None or time.monotonic() > deadline:
                raise Stop(f"pgbouncer does not start:\n{tail(Path(log))}")
            time.sleep(0.05)
