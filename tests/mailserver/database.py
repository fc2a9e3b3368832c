"""A scratch PostgreSQL with a pgbouncer in front, for tests of the mail servers alone."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

import psycopg
from argon2 import PasswordHasher

BINARIES = Path("/usr/lib/postgresql/15/bin")
# PostgreSQL and pgbouncer refuse to be root; in a user namespace of their own they are somebody else.
AS_NOBODY_IN_PARTICULAR = ("unshare", "--user", "--map-user=1000", "--map-group=1000")
ROLES = ("mail_ro", "mail_auth", "mail_usage")
HASHER = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)
PGBOUNCER = """[databases]
ksc = host={folder} dbname=ksc
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {folder}/users.txt
pool_mode = session
default_pool_size = 40
max_client_conn = 400
server_connect_timeout = 3
server_login_retry = 1
query_wait_timeout = 5
logfile = {folder}/pgbouncer.log
pidfile = {folder}/pgbouncer.pid
ignore_startup_parameters = extra_float_digits
"""


def secret(role: str) -> str:
    """Return the password of a role of the contract."""
    return f"{role}-secret"


class Database:
    """One cluster in `folder`, reached by the mail servers on `port` and by tests through `connection`."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port = folder, port
        self._bouncer: subprocess.Popen[bytes] | None = None

    def create(self) -> None:
        """Make the cluster, the contract and the mail servers' way to it."""
        self._run(
            "initdb", "-D", f"{self.folder}/data", "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "-A", "trust"
        )
        self.resume()
        with psycopg.connect(f"host={self.folder} user=postgres dbname=postgres", autocommit=True) as server:
            server.execute("CREATE DATABASE ksc")
        self.connection = psycopg.connect(f"host={self.folder} user=postgres dbname=ksc", autocommit=True)
        self.connection.execute((Path(__file__).parent / "contract.sql").read_text())
        (self.folder / "users.txt").write_text("".join(f'"{role}" "{secret(role)}"\n' for role in ROLES))
        configuration = self.folder / "pgbouncer.ini"
        configuration.write_text(PGBOUNCER.format(folder=self.folder, port=self.port))
        self._bouncer = subprocess.Popen([*AS_NOBODY_IN_PARTICULAR, "pgbouncer", "-q", str(configuration)])

    def pause(self) -> None:
        """Stop PostgreSQL at once, as a crash would; pgbouncer stays."""
        self._run("pg_ctl", "-D", f"{self.folder}/data", "-m", "immediate", "-w", "stop")

    def resume(self) -> None:
        """Start PostgreSQL."""
        options = f"-c listen_addresses='' -c unix_socket_directories={self.folder} -c fsync=off"
        self._run(
            "pg_ctl", "-D", f"{self.folder}/data", "-w", "-l", f"{self.folder}/server.log", "-o", options, "start"
        )
        if hasattr(self, "connection"):
            self.connection.close()
            self.connection = psycopg.connect(f"host={self.folder} user=postgres dbname=ksc", autocommit=True)

    def remove(self) -> None:
        """End both servers and delete the folder."""
        if self._bouncer:
            self._bouncer.send_signal(signal.SIGTERM)
            self._bouncer.wait(10)
        self.connection.close()
        self.pause()
        shutil.rmtree(self.folder)

    def mailbox(self, address: str, password: str | None = None, *, quota_mb: int = 100) -> None:
        """Make a mailbox whose owner may sign in where a password is given."""
        localpart, _, domain = address.partition("@")
        stored = f"{{ARGON2ID}}{HASHER.hash(password)}" if password else None
        self.connection.execute("INSERT INTO domains VALUES (%s) ON CONFLICT DO NOTHING", [domain])
        self.connection.execute(
            "INSERT INTO mailboxes (address, localpart, domain, password, quota_mb) VALUES (%s, %s, %s, %s, %s)",
            [address, localpart, domain, stored, quota_mb],
        )

    def alias(self, address: str, target: str) -> None:
        """Make an alias in a domain that is there."""
        self.connection.execute("INSERT INTO aliases VALUES (%s, %s, %s)", [*address.split("@"), target])

    def lock(self, address: str) -> None:
        """Take sign-in and sending away; the mailbox still receives."""
        self.connection.execute("UPDATE mailboxes SET may_sign_in = false WHERE address = %s", [address])

    def answer(self, address: str, action: str | None) -> None:
        """Let Postfix defer or refuse mail to this address."""
        self.connection.execute("UPDATE mailboxes SET action = %s WHERE address = %s", [action, address])

    def _run(self, program: str, *arguments: str) -> None:
        command = [*AS_NOBODY_IN_PARTICULAR, str(BINARIES / program), *arguments]
        subprocess.run(
            command,
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self.folder,
            env=os.environ | {"LC_ALL": "C.UTF-8"},
        )
