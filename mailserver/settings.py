"""Every variable of the mail servers' configuration; the same templates serve test, demo and production."""

from __future__ import annotations

import json
import random
import re
import socket
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

# Linux hands out ports from 32768 on to outgoing connections, so a listener there can lose its port at any time.
FREE_PORTS = range(20000, 32000)
# Secrets stand unquoted in three configuration languages and in a libpq connection string.
SECRET = re.compile(r"[A-Za-z0-9_.~-]+")
PEPPER_LENGTH = 32
PLAIN = re.compile(r"[A-Za-z0-9_./:@,=* \[\]-]*")


class SettingsError(ValueError):
    """A value that would not survive in the configuration files; the message names it and says what is allowed."""


@dataclass(frozen=True)
class Ports:
    """TCP ports; those of the second group listen on loopback only. The defaults are production's."""

    #: mail from other servers, STARTTLS offered, no sign-in
    smtp: int = 25
    #: mail from mail programs, STARTTLS required before sign-in
    submission: int = 587
    #: mail from mail programs, TLS from the first byte
    submissions: int = 465
    imap: int = 143
    imaps: int = 993
    pop3: int = 110
    pop3s: int = 995
    #: ManageSieve
    sieve: int = 4190

    #: LMTP for tools and tests; 0 is off (Postfix delivers through a unix socket)
    lmtp: int = 0
    #: doveadm's HTTP API, which the portal calls to end sessions
    doveadm: int = 8086
    #: Dovecot's policy service that tells Postfix whether a mailbox is full
    quota_status: int = 12340
    #: Rspamd's milter
    milter: int = 11332
    #: where Dovecot hands replies and forwarded mail of Sieve scripts to Postfix
    reinjection: int = 10026
    #: where Postfix hands itself the same mail, once it is in the queue
    forward_hop: int = 10028
    #: where Postfix hands itself mail whose sender gets an SRS address
    srs_hop: int = 10027
    #: postsrsd: senders to SRS addresses, and back
    srs_forward: int = 10001
    srs_reverse: int = 10002

    @classmethod
    def free(cls) -> Ports:
        """Return ports that nobody listens on at this moment, all below the ephemeral range."""
        chosen: list[int] = []
        candidates = random.sample(FREE_PORTS, len(FREE_PORTS))
        with ExitStack() as held:
            for _ in fields(cls):
                while True:
                    listener = held.enter_context(socket.socket())
                    try:
                        listener.bind(("127.0.0.1", candidate := candidates.pop()))
                    except OSError:
                        continue
                    chosen.append(candidate)
                    break
        return cls(*chosen)


@dataclass(frozen=True)
class Settings:
    """Where the servers run and what they may use; only the secrets have no default."""

    #: password of the role mail_ro (domains, mailboxes, aliases, users; no password hash)
    mail_ro_password: str = field(repr=False)
    #: password of the role mail_auth (password hashes, nothing else)
    mail_auth_password: str = field(repr=False)
    #: password of the role mail_usage (the table of quota usage)
    mail_usage_password: str = field(repr=False)
    #: key that callers of doveadm's HTTP API present
    doveadm_api_key: str = field(repr=False)
    #: the portal's APP_PASSWORD_PEPPER: stands before each app password where Dovecot hashes it
    app_password_pepper: str = field(repr=False)

    #: pgbouncer, or PostgreSQL itself; with PostgreSQL itself Dovecot crashes when started while it is away
    database_host: str = "127.0.0.1"
    database_port: int = 6432
    database_name: str = "ksc"

    #: name in banners, in Received lines and in a self-signed certificate
    hostname: str = "localhost"
    #: "all", or the one address that every public port is bound to
    listen: str = "all"
    #: address of doveadm's HTTP API
    doveadm_listen: str = "127.0.0.1"
    ports: Ports = Ports()

    #: PEM files; both empty means a self-signed certificate made at start
    tls_certificate: str = ""
    tls_key: str = ""

    #: system user and group that own all mail; the user's id must not be below `mail_first_uid`
    mail_user: str = "mail"
    mail_group: str = "mail"
    mail_first_uid: int = 8
    #: folder in front of the relative homes in `mail.dovecot_users`
    mail_root: str = "/var/lib/ksc/mail"

    #: where the rendered files will stand
    postfix_config: str = "/etc/postfix"
    dovecot_config: str = "/etc/dovecot"
    postfix_queue: str = "/var/spool/postfix"
    postfix_data: str = "/var/lib/postfix"
    #: Postfix's log file; empty means syslog
    postfix_log: str = ""
    dovecot_run: str = "/run/dovecot"
    dovecot_state: str = "/var/lib/dovecot"
    #: Dovecot's log file, or "syslog"
    dovecot_log: str = "syslog"
    #: socket or address of Rspamd's controller
    rspamd_controller: str = "127.0.0.1:11334"
    #: where Rspamd tells the portal what it said of each message: its address and "/rspamd/verdicts"; empty: nowhere
    verdicts_url: str = ""
    #: the portal's VERDICTS_SECRET
    verdicts_secret: str = field(default="", repr=False)

    #: Redis with the copy of who rejects spam (the portal's REDIS_URL): a socket's path or address:port; empty: none
    redis: str = ""

    #: largest message in bytes, headers and encoding included
    message_size_limit: int = 52_428_800
    #: how mail to other systems leaves, as Postfix's default_transport
    default_transport: str = "smtp"
    #: domain of the addresses that foreign senders get where their mail is forwarded to other systems (SRS); it needs
    #: an MX and an SPF record that name these servers. Empty: such mail keeps its sender, which many systems refuse.
    srs_domain: str = ""
    #: key that signs them: bounces find back for three weeks, as long as it stays the same
    srs_secret: str = field(default="", repr=False)
    #: whether names are resolved; off where there is no DNS: no MX, no block lists, no SPF, DKIM, DMARC checks
    use_dns: bool = True
    #: whether failed sign-ins slow down the next ones from that address; off only in demo and tests
    delay_failed_logins: bool = True

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if name.endswith(("_password", "_api_key", "_pepper")) or (name.endswith("_secret") and value):
                if not SECRET.fullmatch(value):
                    raise SettingsError(f"{name}: use only ASCII letters, digits and any of _ . ~ -")
            elif isinstance(value, str) and not PLAIN.fullmatch(value):
                raise SettingsError(f"{name}: {value!r} holds a character that configuration files treat specially")
        if len(self.app_password_pepper) < PEPPER_LENGTH:
            raise SettingsError(f"app_password_pepper: {PEPPER_LENGTH} characters or more, the same as the portal has")
        if self.srs_domain and not self.srs_secret:
            raise SettingsError("srs_secret: an srs_domain needs it, e.g. from openssl rand -hex 32")
        if bool(self.tls_certificate) != bool(self.tls_key):
            raise SettingsError("tls_certificate and tls_key: give both files or neither")
        if bool(self.verdicts_url) != bool(self.verdicts_secret):
            raise SettingsError("verdicts_url and verdicts_secret: give both or neither")

    @classmethod
    def loopback(cls, runtime: Path, **values: Any) -> Settings:
        """Return settings for demo and tests: loopback, free ports, no DNS, every path below `runtime`."""
        here = str(runtime)
        return cls(
            **{
                "listen": "127.0.0.1",
                "ports": Ports.free(),
                "mail_root": f"{here}/mail",
                "postfix_config": f"{here}/etc/postfix",
                "dovecot_config": f"{here}/etc/dovecot",
                "postfix_queue": f"{here}/queue",
                "postfix_data": f"{here}/postfix",
                "postfix_log": f"{here}/log/postfix.log",
                "dovecot_run": f"{here}/dovecot",
                "dovecot_state": f"{here}/dovecot-state",
                "dovecot_log": f"{here}/log/dovecot.log",
                "rspamd_controller": f"{here}/rspamd/controller.sock mode=0600 owner=_rspamd",
                "redis": f"{here}/redis/redis.sock",
                "default_transport": "error:5.4.4 this installation sends no mail to other systems",
                "use_dns": False,
                "delay_failed_logins": False,
                **values,
            }
        )

    @classmethod
    def from_json(cls, text: str) -> Settings:
        """Read settings from a JSON object whose keys are the names of this class."""
        try:
            values = json.loads(text)
            ports = Ports(**values.pop("ports", {}))
            return cls(ports=ports, **values)
        except (json.JSONDecodeError, TypeError, AttributeError) as error:
            raise SettingsError(f"not a settings file: {error}") from error
