"""Mail programs for tests: one function per service, each over TLS as a person's mail program does it."""

from __future__ import annotations

import base64
import contextlib
import imaplib
import json
import poplib
import smtplib
import socket
import ssl
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from email.header import decode_header, make_header
from email.message import EmailMessage
from typing import Any

from mailserver.settings import Ports

HOST = "127.0.0.1"


def trusting() -> ssl.SSLContext:
    """Return a TLS context that takes the servers' self-signed certificate."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@contextlib.contextmanager
def imap(ports: Ports, user: str, password: str) -> Iterator[imaplib.IMAP4_SSL]:
    """Yield a signed-in IMAP session with INBOX selected."""
    session = imaplib.IMAP4_SSL(HOST, ports.imaps, ssl_context=trusting(), timeout=30)
    try:
        session.login(user, password)
        session.select("INBOX")
        yield session
    finally:
        session.shutdown()


@contextlib.contextmanager
def submission(
    ports: Ports, user: str | None = None, password: str = "", *, tls: bool = False
) -> Iterator[smtplib.SMTP]:
    """Yield a session on the submission port (STARTTLS), or on the one with TLS from the first byte."""
    if tls:
        session: smtplib.SMTP = smtplib.SMTP_SSL(HOST, ports.submissions, context=trusting(), timeout=30)
    else:
        session = smtplib.SMTP(HOST, ports.submission, timeout=30)
        session.starttls(context=trusting())
    with session:
        session.ehlo()
        if user:
            session.login(user, password)
        yield session


class ManageSieve:
    """As much of RFC 5804 as a test needs."""

    def __init__(self, ports: Ports) -> None:
        self._socket = socket.create_connection((HOST, ports.sieve), timeout=30)
        self._file = self._socket.makefile("rb")
        self.capabilities = self._answer()
        self.command("STARTTLS")
        self._file.close()
        self._socket = trusting().wrap_socket(self._socket)
        self._file = self._socket.makefile("rb")
        self._answer()

    def __enter__(self) -> ManageSieve:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._socket.close()

    def command(self, line: str) -> str:
        """Send one command and return the last line of its answer."""
        self._socket.sendall(f"{line}\r\n".encode())
        return self._answer()[-1]

    def login(self, user: str, password: str) -> str:
        """Sign in by PLAIN and return the answer."""
        token = base64.b64encode(f"\0{user}\0{password}".encode()).decode()
        return self.command(f'AUTHENTICATE "PLAIN" "{token}"')

    def put(self, name: str, script: str) -> str:
        """Store a script and return the answer."""
        octets = len(script.encode())
        return self.command(f'PUTSCRIPT "{name}" {{{octets}+}}\r\n{script}')

    def _answer(self) -> list[str]:
        lines = []
        while True:
            lines.append(line := self._file.readline().decode().rstrip())
            if not line or line.startswith(("OK", "NO", "BYE")):
                return lines


def accepted_by(ports: Ports, user: str, password: str) -> dict[str, bool]:
    """Return for each of the services that know a sign-in whether it takes this password; all are asked at once."""
    smtp_refusal = smtplib.SMTPAuthenticationError
    attempts: dict[str, Callable[[], bool]] = {
        "imaps": lambda: _signs_in(imap(ports, user, password), imaplib.IMAP4.error),
        "imap": lambda: _signs_in(_imap_starttls(ports, user, password), imaplib.IMAP4.error),
        "pop3s": lambda: _signs_in(_pop3(ports, user, password, tls=True), poplib.error_proto),
        "pop3": lambda: _signs_in(_pop3(ports, user, password, tls=False), poplib.error_proto),
        "submission": lambda: _signs_in(submission(ports, user, password), smtp_refusal),
        "submissions": lambda: _signs_in(submission(ports, user, password, tls=True), smtp_refusal),
        "sieve": lambda: _sieve(ports, user, password),
    }
    with ThreadPoolExecutor(len(attempts)) as pool:
        answers = {name: pool.submit(attempt) for name, attempt in attempts.items()}
        return {name: answer.result() for name, answer in answers.items()}


def _signs_in(session: contextlib.AbstractContextManager[object], refusal: type[Exception]) -> bool:
    try:
        with session:
            return True
    except refusal:
        return False


@contextlib.contextmanager
def _imap_starttls(ports: Ports, user: str, password: str) -> Iterator[None]:
    session = imaplib.IMAP4(HOST, ports.imap, timeout=30)
    try:
        session.starttls(trusting())
        session.login(user, password)
        yield
    finally:
        session.shutdown()


@contextlib.contextmanager
def _pop3(ports: Ports, user: str, password: str, *, tls: bool) -> Iterator[None]:
    if tls:
        session: poplib.POP3 = poplib.POP3_SSL(HOST, ports.pop3s, context=trusting(), timeout=30)
    else:
        session = poplib.POP3(HOST, ports.pop3, timeout=30)
        session.stls(trusting())
    with contextlib.closing(session):
        session.user(user)
        session.pass_(password)
        yield


def _sieve(ports: Ports, user: str, password: str) -> bool:
    with ManageSieve(ports) as session:
        return session.login(user, password).startswith("OK")


def wait_for_login(ports: Ports, user: str, password: str, patience: float = 60) -> None:
    """Dovecot notices at a login that a restart of the database has closed its connection, and says so."""
    deadline = time.monotonic() + patience
    while True:
        try:
            with imap(ports, user, password):
                return
        except imaplib.IMAP4.error as error:
            assert "UNAVAILABLE" in str(error) and time.monotonic() < deadline
            time.sleep(0.2)


def message(sender: str, recipient: str, subject: str, **headers: str) -> EmailMessage:
    """Return a short message; underscores in the names of further headers stand for hyphens."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = sender, recipient, subject
    for name, value in headers.items():
        mail[name.replace("_", "-")] = value
    mail.set_content("Guten Tag.\n")
    return mail


def receive(ports: Ports, mail: EmailMessage) -> None:
    """Hand a message in on port 25, as another mail server would."""
    with smtplib.SMTP(HOST, ports.smtp, timeout=30) as session:
        session.send_message(mail)


def fetch(
    ports: Ports, user: str, password: str, subject: str, *, folder: str = "INBOX", timeout: float = 20
) -> bytes:
    """Return the message with this subject as soon as it is there."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        with imap(ports, user, password) as session:
            if session.select(folder)[0] == "OK":
                found = session.search(None, "SUBJECT", f'"{subject}"')[1][0].split()
                if found:
                    [(_envelope, text), *_rest] = session.fetch(found[-1].decode(), "(BODY.PEEK[])")[1]
                    return bytes(text)
        time.sleep(0.2)
    raise AssertionError(f"no message {subject!r} in {folder} of {user}")


def folder_of(ports: Ports, user: str, password: str, subject: str, *, timeout: float = 20) -> str:
    """Return the folder where the message with this subject is, as soon as it is there; empty where it never is."""
    deadline = time.monotonic() + timeout
    while True:
        with imap(ports, user, password) as session:
            for folder in ("INBOX", "Junk"):
                session.select(folder, readonly=True)
                if session.search(None, "SUBJECT", f'"{subject}"')[1][0]:
                    return folder
        if time.monotonic() > deadline:
            return ""
        time.sleep(0.1)


def subjects_in(ports: Ports, user: str, password: str, folder: str = "INBOX") -> list[str]:
    """Return the subjects of all messages in a folder, the oldest first."""
    with imap(ports, user, password) as session:
        session.select(folder, readonly=True)
        numbers = session.search(None, "ALL")[1][0].split()
        parts = [session.fetch(number.decode(), "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1][0] for number in numbers]
    texts = [part[1].decode() for part in parts if isinstance(part, tuple)]
    return [str(make_header(decode_header(text.partition(":")[2].strip()))) for text in texts]


def doveadm(ports: Ports, key: str, command: str, *, timeout: float = 10, **parameters: Any) -> Any:
    """Call doveadm's HTTP API and return its answer."""
    request = urllib.request.Request(
        f"http://{HOST}:{ports.doveadm}/doveadm/v1",
        json.dumps([[command, parameters, "t"]]).encode(),
        {
            "Authorization": "X-Dovecot-API " + base64.b64encode(key.encode()).decode(),
            "Content-Type": "application/json",
        },
    )
    with urllib.request.urlopen(request, timeout=timeout) as answer:
        return json.load(answer)
