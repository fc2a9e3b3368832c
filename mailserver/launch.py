"""Runs the mail servers by hand: no systemd, no syslog, nothing in /etc, everything in one runtime folder."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from types import TracebackType

from mailserver import tls
from mailserver.processes import KILL_SECONDS, end_daemons_in
from mailserver.render import render
from mailserver.settings import Ports, Settings

# Postfix reads these beside its main.cf; without them it knows no pgsql tables.
POSTFIX_PARTS = ("dynamicmaps.cf", "dynamicmaps.cf.d", "postfix-files", "postfix-files.d")
PROGRAMS = {
    "postfix": "postfix",
    "dovecot": "dovecot-core",
    "rspamd": "rspamd",
    "postsrsd": "postsrsd",
    "redis-server": "redis-server",
    "openssl": "openssl",
}
READY_SECONDS = 90.0
# postsrsd's, which nobody listens on without an SRS domain.
SRS_PORTS = ("srs_forward", "srs_reverse")
# What a server says first; the others are ready when they accept a connection.
GREETINGS = {"smtp": b"220 ", "submission": b"220 ", "imap": b"* OK", "pop3": b"+OK", "sieve": b'"IMPLEMENTATION"'}


class LaunchError(RuntimeError):
    """The servers cannot run here; the message says what is missing or what they said."""


class Stack:
    """Postfix, Dovecot, Rspamd with its Redis, and postsrsd of one runtime folder, which no other program may use.

    `settings` come from `Settings.loopback(runtime, ...)`; `rspamd_cache` keeps Rspamd's compiled patterns
    (11 seconds) from one run to the next and must be a folder that the user `_rspamd` can reach.
    """

    def __init__(self, settings: Settings, runtime: Path, *, rspamd_cache: Path | None = None) -> None:
        self.settings = settings
        self.runtime = Path(runtime)
        self.rspamd_cache = rspamd_cache or self.runtime / "rspamd-cache"
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def ports(self) -> Ports:
        """Return the ports of all services."""
        return self.settings.ports

    def start(self, progress: Callable[[str], None] = lambda message: None) -> None:
        """Write the configuration and start all servers, whatever an earlier run left in the folder."""
        require_programs()
        self.stop()
        try:
            progress("mail servers: configuration")
            self._prepare()
            progress("mail servers: Redis and Rspamd")
            self.start_redis()
            self._start_rspamd()
            progress("mail servers: Dovecot")
            self._start_dovecot()
            if self.settings.srs_domain:
                progress("mail servers: postsrsd")
                self._start_postsrsd()
            progress("mail servers: Postfix")
            self._start_postfix()
        except BaseException:
            self.stop()
            raise

    def wait_ready(
        self, timeout: float = READY_SECONDS, progress: Callable[[str], None] = lambda message: None
    ) -> None:
        """Return when every service answers; raise LaunchError when one ended or does not answer in time."""
        deadline = time.monotonic() + timeout
        unused = () if self.settings.srs_domain else SRS_PORTS
        waiting = {name: port for name, port in asdict(self.ports).items() if port and name not in unused}
        while waiting:
            answered = [name for name, port in waiting.items() if _answers(port, GREETINGS.get(name, b""))]
            for name in answered:
                del waiting[name]
                progress(f"mail servers: {name} answers")
            self._notice_ended(waiting)
            if waiting and time.monotonic() > deadline:
                raise LaunchError(f"no answer from {', '.join(waiting)}\n{self.last_words()}")
            if waiting:
                time.sleep(0.1)

    def stop(self) -> None:
        """End every process of the stack, half-started or left over ones included; the folder stays."""
        end_daemons_in(self.runtime, reap=self._reap)
        for child in self._children.values():
            child.wait(KILL_SECONDS)
        self._children.clear()

    def last_words(self, lines: int = 15) -> str:
        """Return the last lines of the servers' logs, for messages about what went wrong."""
        logs = sorted((self.runtime / "log").glob("**/*.log"))
        tails = (log.read_text(errors="replace").splitlines()[-lines:] for log in logs)
        return "\n".join(f"-- {log.name}\n" + "\n".join(tail) for log, tail in zip(logs, tails, strict=True) if tail)

    def __enter__(self) -> Stack:
        self.start()
        try:
            self.wait_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _prepare(self) -> None:
        """Make the folders with the owners that the servers want, and the configuration."""
        settings = self.settings
        self.runtime.mkdir(mode=0o711, parents=True, exist_ok=True)
        self.runtime.chmod(0o711)
        for name in ("etc", "log", "queue", "dovecot", "dovecot-state"):
            _folder(self.runtime / name, 0o755)
        _folder(self.runtime / "log" / "rspamd", 0o755, "_rspamd")
        _folder(self.runtime / "rspamd", 0o755, "_rspamd")
        _folder(self.runtime / "redis", 0o700, "_rspamd")
        _folder(self.rspamd_cache, 0o700, "_rspamd")
        _folder(self.runtime / "postfix", 0o700, "postfix")
        _folder(Path(settings.postfix_queue) / "private", 0o700, "postfix")
        _folder(Path(settings.mail_root), 0o700, settings.mail_user, settings.mail_group)
        # A socket that a killed Dovecot left makes the next first sign-in wait five seconds.
        Path(settings.dovecot_run, "anvil-auth-penalty").unlink(missing_ok=True)
        if not settings.tls_certificate:
            certificate, key = tls.self_signed(self.runtime / "tls", settings.hostname)
            settings = replace(settings, tls_certificate=str(certificate), tls_key=str(key))
        render(settings, self.runtime / "etc")
        for part in POSTFIX_PARTS:
            source, target = Path("/etc/postfix", part), self.runtime / "etc" / "postfix" / part
            if source.is_dir():
                shutil.copytree(source, target, dirs_exist_ok=True)
            elif source.exists():
                shutil.copy(source, target)

    def start_redis(self) -> None:
        """Start Redis with nothing in it: what it holds is a copy, which the portal makes anew."""
        socket_only = ("--port", "0", "--unixsocket", self.settings.redis, "--unixsocketperm", "700")
        nothing_kept = ("--save", "", "--appendonly", "no", "--dir", f"{self.runtime}/redis")
        self._run("redis-server", *socket_only, *nothing_kept, user="_rspamd")

    def stop_redis(self) -> None:
        """Take Redis away; the others stay."""
        child = self._children.pop("redis-server")
        child.terminate()
        child.wait(KILL_SECONDS)

    def _start_rspamd(self) -> None:
        places = {
            "LOCAL_CONFDIR": self.runtime / "etc" / "rspamd",
            "DBDIR": self.rspamd_cache,
            "RUNDIR": self.runtime / "rspamd",
            "LOGDIR": self.runtime / "log" / "rspamd",
        }
        variables = [f"--var={name}={place}" for name, place in places.items()]
        self._run("rspamd", "-f", "-c", "/etc/rspamd/rspamd.conf", "-u", "_rspamd", "-g", "_rspamd", *variables)

    def _start_dovecot(self) -> None:
        Path(self.settings.dovecot_run, "master.pid").unlink(missing_ok=True)
        self._run("dovecot", "-F", "-c", f"{self.settings.dovecot_config}/dovecot.conf")

    def _start_postsrsd(self) -> None:
        """It reads its secret as root and goes on as a user without rights, below the folder where it was started."""
        secret, ports = self.runtime / "etc" / "postsrsd" / "secret", self.ports
        where = ["-4", "-l", "127.0.0.1", "-f", str(ports.srs_forward), "-r", str(ports.srs_reverse)]
        self._run("postsrsd", "-s", str(secret), "-d", self.settings.srs_domain, *where, "-u", "postsrsd")

    def _start_postfix(self) -> None:
        done = subprocess.run(
            ["postfix", "-c", self.settings.postfix_config, "start"],
            cwd=self.runtime,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=_environment(),
        )
        if done.returncode:
            raise LaunchError(f"Postfix: {done.stdout.decode(errors='replace')}\n{self.last_words()}")

    def _run(self, name: str, *arguments: str, user: str | None = None) -> None:
        """Start a server that stays a child of this process; what it says before it has its log goes to a file."""
        with (self.runtime / "log" / f"{name}-start.log").open("wb") as log:
            self._children[name] = subprocess.Popen(
                [name, *arguments],
                cwd=self.runtime,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=_environment(),
                # Ctrl-C in a terminal is for the launcher, which stops the servers in order.
                start_new_session=True,
                user=user,
                group=user,
                extra_groups=[] if user else None,
            )

    def _notice_ended(self, waiting: dict[str, int]) -> None:
        for name, child in self._children.items():
            if waiting and child.poll() is not None:
                raise LaunchError(f"{name} ended with code {child.returncode}\n{self.last_words()}")

    def _reap(self) -> None:
        for child in self._children.values():
            child.poll()


def require_programs() -> None:
    """Raise LaunchError unless this is root on a machine that has the servers."""
    missing = sorted(package for program, package in PROGRAMS.items() if not shutil.which(program, path=_path()))
    if missing:
        raise LaunchError(f"missing programs; install the Debian packages: {' '.join(missing)}")
    if os.geteuid() != 0:
        raise LaunchError("the mail servers switch between system users, which only root can do")


def _path() -> str:
    return f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin"


def _environment() -> dict[str, str]:
    """Return the few variables that the servers need: nothing of the caller's secrets."""
    return {"PATH": _path(), "LANG": "C.UTF-8"}


def _folder(path: Path, mode: int, user: str | None = None, group: str | None = None) -> None:
    path.mkdir(mode=mode, parents=True, exist_ok=True)
    path.chmod(mode)
    if user:
        shutil.chown(path, user, group)


def _answers(port: int, greeting: bytes) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            return not greeting or connection.recv(64).startswith(greeting)
    except OSError:
        return False
