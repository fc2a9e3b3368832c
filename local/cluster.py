"""The private PostgreSQL of one state folder: made on first use, reached only through its socket, by password."""

import contextlib
import hashlib
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import quote

from local import binaries, folders, unprivileged
from local.report import Stop, say

DATABASE = "ksc"
ROLES = ("ksc_app", "ksc_owner", "mail_ro", "mail_auth", "mail_usage")
SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "password_encryption": "scram-sha-256",
    "shared_buffers": "64MB",
    "max_connections": "100",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
# A test cluster may be lost with the machine, so nothing waits for the disk.
FOR_TESTS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_wal_size": "2GB"}
HBA = "local all all scram-sha-256\n"
START_TRIES = 20
ROLES_SQL = folders.CHECKOUT / "accounts" / "sql" / "roles.sql"


class Cluster:
    """Starts and stops the cluster of a state folder; the caller sees to it that nobody else does so meanwhile."""

    def __init__(self, state: Path, for_tests: bool = False) -> None:
        self.state, self.for_tests = state, for_tests
        self.folder = state / "postgres"
        self.data = self.folder / "data"
        self.log = self.folder / "log"

    @property
    def socket(self) -> Path:
        return folders.make_runtime(self.state) / "pg"

    def url(self, role: str, database: str = DATABASE) -> str:
        """Connection URL of a role; the socket's folder stands percent-encoded in the host's place."""
        password = folders.kept_secret(self.state, role)
        return f"postgresql://{role}:{quote(password, safe='')}@{quote(str(self.socket), safe='')}/{database}"

    def start(self) -> None:
        """Bring the cluster up with roles and database, from whatever state it was left in."""
        if self.pid():
            return
        self._make_if_missing()
        self._configure()
        self._start_server()
        self._prepare()

    def stop(self) -> None:
        """Stop the server if it runs: politely, then at once."""
        for mode in ("fast", "immediate"):
            if not self.pid():
                break
            with contextlib.suppress(subprocess.CalledProcessError):
                self._run("pg_ctl", "stop", "-D", self.data, "-m", mode, "-w", "-t", "20")

    def pid(self) -> int | None:
        """Process id of the living postmaster of this data folder; a zombie or a stranger's number is none."""
        try:
            pid = int((self.data / "postmaster.pid").read_text().split("\n", 1)[0])
            status = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except (OSError, ValueError):
            return None
        return pid if status != "Z" and os.fsencode(self.data) in command else None

    def crashed(self) -> bool:
        """Whether the server is gone without having been told to stop."""
        return self.pid() is None and (self.data / "postmaster.pid").exists()

    def _programs(self) -> binaries.Binaries:
        version = self.data / "PG_VERSION"
        found = binaries.find(int(version.read_text()) if version.exists() else None)
        if found.source == "wheel" and unprivileged.only_by_capability():
            return binaries.copied(found, folders.make_runtime(self.state) / "programs")
        return found

    def _run(self, program: str, *arguments: str | Path) -> str:
        command = [*unprivileged.prefix(), self._programs().folder / program, *arguments]
        # Not a pipe: the server inherits it from pg_ctl and would hold it open.
        with (self.folder / f"{program}.out").open("w+") as output:
            environment = os.environ | {"LC_ALL": "C.UTF-8"}
            subprocess.run(command, check=True, stdout=output, stderr=output, env=environment, cwd=self.folder)
            output.seek(0)
            return output.read()

    def _make_if_missing(self) -> None:
        folders.private(self.folder)
        if (self.data / "PG_VERSION").exists():
            return
        say(f"making a private database with {self._programs()}")
        # initdb works beside the final place, so that a half-made cluster is never mistaken for a whole one.
        fresh = self.folder / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        password = self.folder / "superuser"
        folders.write_private(password, folders.kept_secret(self.state, "postgres") + "\n")
        unprivileged.give(fresh)
        sync = ["--no-sync"] if self.for_tests else []
        try:
            self._run(
                "initdb",
                *("-D", fresh, "--username=postgres", f"--pwfile={password}", "--auth=scram-sha-256"),
                *("--encoding=UTF8", "--locale=C.UTF-8", *sync),
            )
        except subprocess.CalledProcessError as error:
            raise Stop(f"initdb failed:\n{(self.folder / 'initdb.out').read_text()}") from error
        finally:
            password.unlink()
        with (fresh / "postgresql.conf").open("a") as file:
            file.write("include = 'ksc.conf'\n")
        fresh.rename(self.data)

    def _configure(self) -> None:
        settings = SETTINGS | (FOR_TESTS if self.for_tests else {})
        settings["unix_socket_directories"] = f'"{folders.private(self.socket)}"'
        lines = [f"{name} = '{value}'\n" for name, value in settings.items()]
        folders.write_private(self.data / "ksc.conf", "".join(lines))
        folders.write_private(self.data / "pg_hba.conf", HBA)
        unprivileged.give(self.data)
        unprivileged.give(self.socket)

    def _start_server(self) -> None:
        for attempt in range(START_TRIES):
            with contextlib.suppress(subprocess.CalledProcessError):
                self._drop_strangers_number()
                self._run("pg_ctl", "start", "-D", self.data, "-l", self.log, "-w", "-t", "60", "-s")
                return
            if self.pid():
                return
            # After kill -9 the old processes need a moment to be gone.
            time.sleep(0.1 * min(attempt + 1, 5))
        raise Stop(f"PostgreSQL does not start; its log {self.log} ends with:\n{tail(self.log)}")

    def _drop_strangers_number(self) -> None:
        """Remove a stale postmaster.pid whose number another program has got since."""
        path = self.data / "postmaster.pid"
        if path.exists() and self.pid() is None:
            with contextlib.suppress(OSError, ValueError):
                command = Path(f"/proc/{int(path.read_text().split()[0])}/cmdline").read_bytes()
                if command and b"postgres" not in command:
                    path.unlink()

    def sql(self, statement: str, database: str = "postgres") -> str:
        """Run a statement as the superuser and give its rows as text."""
        environment = os.environ | {"PGPASSWORD": folders.kept_secret(self.state, "postgres")}
        options = ["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", str(self.socket), "-U", "postgres"]
        command = [str(self._programs().folder / "psql"), *options, "-d", database, "-c", statement]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
        return done.stdout.strip()

    def environment(self) -> dict[str, str]:
        """What the portal's commands need to reach this cluster; the superuser's URL is for making the roles."""
        return {
            "DATABASE_URL": self.url("ksc_app"),
            "DATABASE_OWNER_URL": self.url("ksc_owner"),
            "DATABASE_ADMIN_URL": self.url("postgres", "postgres"),
        } | {f"{role.upper()}_PASSWORD": folders.kept_secret(self.state, role) for role in ROLES[2:]}

    def _prepare(self) -> None:
        """Make roles and database, once per cluster and again when the list of roles has changed."""
        stamp = self.folder / "prepared"
        wanted = hashlib.sha256(ROLES_SQL.read_bytes()).hexdigest()
        if stamp.exists() and stamp.read_text() == wanted:
            return
        environment = os.environ | self.environment() | {"SECRET_KEY": secrets.token_hex()}
        environment |= {"BASE_URL": "http://localhost", "APP_PASSWORD_PEPPER": secrets.token_hex()}
        command = [sys.executable, "manage.py", "bootstrap_roles"]
        done = subprocess.run(
            command, cwd=folders.CHECKOUT, env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise Stop(f"the database roles could not be made:\n{done.stdout}{done.stderr}")
        if DATABASE not in self.sql("SELECT datname FROM pg_database").split():
            self.sql(f"CREATE DATABASE {DATABASE} OWNER ksc_owner")
        folders.write_private(stamp, wanted)

    def kill(self) -> None:
        """End the postmaster the hard way, as a power cut would; for tests."""
        pid = self.pid()
        if pid:
            os.kill(pid, signal.SIGKILL)
        while self.pid():
            time.sleep(0.01)


def tail(path: Path, lines: int = 15) -> str:
    """The last lines of a log."""
    try:
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return ""
