"""What the mail servers do when something they need is away, and after everything was killed."""

from __future__ import annotations

import contextlib
import imaplib
import os
import signal
import smtplib
import time

from mailserver.processes import daemons_in
from tests.mailserver.clients import HOST, fetch, imap, message, receive, subjects_in
from tests.mailserver.conftest import Running
from tests.promises import LONG, promise

PASSWORD = "Rechtes-Passwort 1"
STRANGER = "max.mustermann@example.org"
DEFERRED = {450, 451, 454}


@promise("A-57")
def test_without_the_database_mail_waits_and_comes_back(stack: Running) -> None:
    stack.database.mailbox("da@ausfall.example", PASSWORD)
    receive(stack.ports, message(STRANGER, "da@ausfall.example", "vorher"))
    fetch(stack.ports, "da@ausfall.example", PASSWORD, "vorher")
    stack.database.listed("block", STRANGER, mailbox="da@ausfall.example")

    stack.database.pause()
    try:
        assert _delivery(stack, "da@ausfall.example", "ausgesperrt") in DEFERRED
        assert {_answer_to(stack, name) for name in ("da@ausfall.example", "fort@ausfall.example")} <= DEFERRED
        refusal = _imap_refusal(stack, "da@ausfall.example")
        assert refusal and "AUTHENTICATIONFAILED" not in refusal
    finally:
        stack.database.resume()

    began = time.monotonic()
    while (refusal := _imap_refusal(stack, "da@ausfall.example")) and time.monotonic() - began < 10:
        assert "AUTHENTICATIONFAILED" not in refusal
        time.sleep(0.5)
    assert not refusal
    # Postfix asks a database that was away again after its own 60 seconds; the everyday run does not wait for that.
    if not LONG:
        assert _answer_to(stack, "da@ausfall.example") in {250, *DEFERRED}
        stack.launcher.stop()
        stack.launcher.start()
        stack.launcher.wait_ready()
    while _answer_to(stack, "da@ausfall.example") != 250 and time.monotonic() - began < 90:
        time.sleep(0.5)
    assert _answer_to(stack, "fort@ausfall.example") == 550
    while _delivery(stack, "da@ausfall.example", "ausgesperrt") != 250 and time.monotonic() - began < 90:
        time.sleep(0.5)
    assert subjects_in(stack.ports, "da@ausfall.example", PASSWORD, "Junk") == ["ausgesperrt"]
    stack.database.no_lists()
    receive(stack.ports, message(STRANGER, "da@ausfall.example", "nachher"))
    assert fetch(stack.ports, "da@ausfall.example", PASSWORD, "nachher")
    assert subjects_in(stack.ports, "da@ausfall.example", PASSWORD) == ["vorher", "nachher"]


def test_a_start_after_a_kill_of_everything_works(stack: Running) -> None:
    stack.database.mailbox("da@absturz.example", PASSWORD)
    receive(stack.ports, message(STRANGER, "da@absturz.example", "vorher"))
    fetch(stack.ports, "da@absturz.example", PASSWORD, "vorher")
    for process in daemons_in(stack.launcher.runtime):
        # Some end by themselves just then.
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)

    stack.launcher.start()
    stack.launcher.wait_ready()

    receive(stack.ports, message(STRANGER, "da@absturz.example", "nachher"))
    assert fetch(stack.ports, "da@absturz.example", PASSWORD, "nachher")
    assert fetch(stack.ports, "da@absturz.example", PASSWORD, "vorher")


def test_stop_leaves_no_process_and_start_brings_all_back(stack: Running) -> None:
    stack.launcher.stop()
    assert daemons_in(stack.launcher.runtime) == set()

    stack.launcher.start()
    stack.launcher.wait_ready()


def _answer_to(stack: Running, recipient: str) -> int:
    with smtplib.SMTP(HOST, stack.ports.smtp, timeout=60) as session:
        session.ehlo()
        session.mail(STRANGER)
        return session.rcpt(recipient)[0]


def _delivery(stack: Running, recipient: str, subject: str) -> int:
    """What Dovecot says to a message that Postfix hands over."""
    try:
        with smtplib.LMTP(HOST, stack.ports.lmtp, timeout=60) as session:
            session.send_message(message(STRANGER, recipient, subject), STRANGER, [recipient])
    except smtplib.SMTPRecipientsRefused as refused:
        return refused.recipients[recipient][0]
    except smtplib.SMTPDataError as error:
        return error.smtp_code
    return 250


def _imap_refusal(stack: Running, user: str) -> str:
    try:
        with imap(stack.ports, user, PASSWORD):
            return ""
    except imaplib.IMAP4.error as error:
        return str(error)
