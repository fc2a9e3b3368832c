"""Forwarded mail on its way, by the real servers: inside as it is, to other systems with a sender of ours."""

from __future__ import annotations

import smtplib
from email.message import EmailMessage

import pytest

from tests.mailserver.clients import HOST, fetch, message, receive, submission
from tests.mailserver.conftest import Running
from tests.mailserver.outside import Arrived

PASSWORD = "Rechtes-Passwort 1"
STRANGER, FRIEND = "max.mustermann@example.org", "max@privat.example.net"
ANNA = "anna@umleitung.example"


@pytest.fixture(scope="module")
def srs(stack: Running) -> Running:
    stack.database.mailbox(ANNA, PASSWORD)
    return stack


def send_on(stack: Running, mail: EmailMessage, sender: str, recipient: str) -> None:
    """Hand a message in where Dovecot does when a script redirects it."""
    with smtplib.SMTP(HOST, stack.ports.reinjection, timeout=30) as session:
        session.send_message(mail, sender, [recipient])


def outside(stack: Running, subject: str) -> Arrived:
    return stack.outside.wait_for(lambda mail: mail.has(subject))


def rewritten(stack: Running, subject: str) -> str:
    """The sender that a stranger's forwarded mail has elsewhere."""
    send_on(stack, message(STRANGER, ANNA, subject), STRANGER, FRIEND)
    return outside(stack, subject).sender


class TestTheEnvelopeOfForwardedMail:
    def test_has_a_sender_of_ours_elsewhere_and_the_headers_stay(self, srs: Running) -> None:
        send_on(srs, message(STRANGER, ANNA, "weiter", X_KSC_Spam_Score="1.00"), STRANGER, FRIEND)
        arrived = outside(srs, "weiter")
        assert arrived.recipients == (FRIEND,)
        assert arrived.sender.startswith("SRS0=") and arrived.sender.endswith(
            "=example.org=max.mustermann@srs.hoster.example"
        )
        assert b"X-KSC-Spam-Score: 1.00" in arrived.text and f"From: {STRANGER}".encode() in arrived.text

    def test_stays_as_it_is_for_a_mailbox_here(self, srs: Running) -> None:
        send_on(srs, message(STRANGER, ANNA, "bleibt hier"), STRANGER, ANNA)
        assert fetch(srs.ports, ANNA, PASSWORD, "bleibt hier").startswith(f"Return-Path: <{STRANGER}>".encode())

    @pytest.mark.parametrize("sender", ["", ANNA])
    def test_stays_as_it_is_where_there_is_no_sender_or_it_is_one_of_ours(self, srs: Running, sender: str) -> None:
        subject = f"von {sender or 'niemand'}"
        send_on(srs, message(ANNA, FRIEND, subject), sender, FRIEND)
        assert outside(srs, subject).sender == sender

    def test_of_what_is_sent_from_here_is_not_touched(self, srs: Running) -> None:
        with submission(srs.ports, ANNA, PASSWORD) as session:
            session.send_message(message(ANNA, FRIEND, "von hier"), ANNA, [FRIEND])
        assert outside(srs, "von hier").sender == ANNA

    def test_does_not_make_port_25_a_relay(self, srs: Running) -> None:
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            receive(srs.ports, message(STRANGER, FRIEND, "hinaus"))


class TestABounce:
    def test_from_elsewhere_reaches_the_real_sender(self, srs: Running) -> None:
        sender = rewritten(srs, "kommt heim")
        with smtplib.SMTP(HOST, srs.ports.smtp, timeout=30) as session:
            session.sendmail("", [sender], b"Subject: unzustellbar\r\n\r\nleider\r\n")
        assert outside(srs, "unzustellbar").recipients == (STRANGER,)
        assert outside(srs, "unzustellbar").sender == ""

    def test_of_our_own_reaches_the_real_sender(self, srs: Running) -> None:
        send_on(srs, message(STRANGER, ANNA, "ins Leere"), STRANGER, "nobody@privat.example.net")
        bounce = srs.outside.wait_for(lambda mail: mail.recipients == (STRANGER,) and b"ins Leere" in mail.text)
        assert bounce.sender == "" and b"no such user" in bounce.text

    def test_to_a_forged_or_changed_address_is_refused(self, srs: Running) -> None:
        sender = rewritten(srs, "echt")
        hash_, rest = sender.removeprefix("SRS0=").split("=", 1)
        forged = [
            f"SRS0={'A' * len(hash_)}={rest}",
            f"SRS0={hash_}={rest.replace('example.org', 'opfer.example')}",
            "SRS0=@srs.hoster.example",
            "anna@srs.hoster.example",
        ]
        with smtplib.SMTP(HOST, srs.ports.smtp, timeout=30) as session:
            session.ehlo()
            session.mail("")
            assert [session.rcpt(address)[0] for address in (sender, *forged)] == [250, 550, 550, 550, 550]
