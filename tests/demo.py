"""The whole product as the README starts it: portal, worker and real mail servers, in a state folder of its own."""

import base64
import contextlib
import imaplib
import json
import os
import poplib
import signal
import smtplib
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 180

TRUSTING = ssl._create_unverified_context()  # the demo signs its own certificate


@dataclass
class Demo:
    url: str
    accounts: list[dict]
    mail: dict

    def account(self, **wanted) -> dict:
        return next(row for row in self.accounts if wanted.items() <= row.items())

    @contextlib.contextmanager
    def imap(self, user, password) -> Iterator[imaplib.IMAP4_SSL]:
        session = imaplib.IMAP4_SSL(self.mail["host"], self.mail["imaps"], ssl_context=TRUSTING)
        try:
            session.login(user, password)
            yield session
        finally:
            session.shutdown()

    @contextlib.contextmanager
    def pop3(self, user, password) -> Iterator[poplib.POP3_SSL]:
        session = poplib.POP3_SSL(self.mail["host"], self.mail["pop3s"], context=TRUSTING)
        try:
            session.user(user)
            session.pass_(password)
            yield session
        finally:
            session.close()

    @contextlib.contextmanager
    def submission(self, user, password) -> Iterator[smtplib.SMTP]:
        session = smtplib.SMTP(self.mail["host"], self.mail["submission"], timeout=30)
        try:
            session.starttls(context=TRUSTING)
            session.login(user, password)
            yield session
        finally:
            session.close()

    @contextlib.contextmanager
    def sieve(self, user, password) -> Iterator[None]:
        """A ManageSieve login (RFC 5804): raises PermissionError where it is refused."""
        with socket.create_connection((self.mail["host"], self.mail["sieve"]), timeout=30) as plain:
            self._sieve_answer(plain)
            plain.sendall(b"STARTTLS\r\n")
            self._sieve_answer(plain)
            with TRUSTING.wrap_socket(plain, server_hostname="localhost") as session:
                self._sieve_answer(session)
                token = base64.b64encode(f"\0{user}\0{password}".encode()).decode()
                session.sendall(f'AUTHENTICATE "PLAIN" "{token}"\r\n'.encode())
                self._sieve_answer(session)
                yield

    def _sieve_answer(self, session):
        text = b""
        while not any(line.startswith((b"OK", b"NO", b"BYE")) for line in text.split(b"\r\n")[:-1]):
            text += session.recv(4096) or b"BYE\r\n"
        if not any(line.startswith(b"OK") for line in text.split(b"\r\n")):
            raise PermissionError(text)

    def accepts(self, user, password) -> dict[str, bool]:
        """Which of the four protocols let this login in."""
        answers = {}
        refusals = (imaplib.IMAP4.error, poplib.error_proto, smtplib.SMTPAuthenticationError, PermissionError)
        for protocol in ("imap", "pop3", "submission", "sieve"):
            try:
                with getattr(self, protocol)(user, password):
                    answers[protocol] = True
            except refusals:
                answers[protocol] = False
        return answers

    def deliver(self, recipient, subject, sender="stranger@example.org"):
        """A message from outside, on port 25's stand-in."""
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = sender, recipient, subject
        message.set_content("Guten Tag.")
        with smtplib.SMTP(self.mail["host"], self.mail["smtp"], timeout=30) as session:
            session.send_message(message)

    def wait_for(self, session: imaplib.IMAP4, subject, folder="INBOX", seconds=20) -> bytes:
        """The message with this subject, once it has arrived."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            session.select(folder)
            _status, [found] = session.search(None, "SUBJECT", f'"{subject}"')
            if found:
                [(_envelope, message), *_rest] = session.fetch(found.split()[-1], "(RFC822)")[1]
                return bytes(message)
            time.sleep(0.2)
        raise AssertionError(f"no message {subject!r} after {seconds} s")


@contextlib.contextmanager
def running_demo(var: Path, *arguments, **settings):
    """Start `./ksc demo` and stop it again, as Ctrl-C does."""
    hidden = (
        *("DATABASE_", "KSC_", "SECRET_KEY", "BASE_URL", "ARGON2_", "APP_"),
        *("DJANGO_", "STATIC_", "MAIL_", "PYTEST_"),
    )
    environment = {key: value for key, value in os.environ.items() if not key.startswith(hidden)}
    port = free_port()
    log = var.parent / "demo.log"
    settings |= {"KSC_VAR": str(var), "KSC_RSPAMD_CACHE": os.environ.get("KSC_RSPAMD_CACHE", "")}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [ROOT / "ksc", "demo", "--port", str(port), *arguments],
            env=environment | settings,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield Demo(**wait_for_demo(process, var / "demo.json", log))
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)


def wait_for_demo(process, description: Path, log: Path) -> dict:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if description.exists():
            return json.loads(description.read_text())
        time.sleep(0.2)
    raise AssertionError("the demo did not start:\n" + log.read_text(errors="replace")[-4000:])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
