"""Somebody leaves: what the real servers do from which day on, and that nothing of the mail is left in the end."""

from __future__ import annotations

import smtplib
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from pytest_django.fixtures import Settings

from mailboxes import dovecot
from tests.mailserver.clients import HOST, accepted_by, fetch, message, receive, submission
from tests.mailserver.conftest import API_KEY, Running

PASSWORD = "Rechtes-Passwort 1"
STRANGER = "max.mustermann@example.org"
TODAY = datetime.now(ZoneInfo("Europe/Berlin")).date()


def answered(stack: Running, recipient: str) -> tuple[int, str]:
    """What a server elsewhere is told about a recipient."""
    with smtplib.SMTP(HOST, stack.ports.smtp) as session:
        session.ehlo()
        session.mail(STRANGER)
        code, text = session.rcpt(recipient)
    return code, text.decode()


def test_sending_ends_before_reading_and_senders_are_told(stack: Running) -> None:
    lena = "lena@abschied.example"
    stack.database.mailbox(lena, PASSWORD)
    receive(stack.ports, message(STRANGER, lena, "vorher"))
    with submission(stack.ports, lena, PASSWORD) as session:
        assert session.mail(lena)[0] == 250
        session.rset()
        stack.database.leaves(lena, TODAY, reads_until=TODAY, write_to="info@abschied.example")
        assert session.mail(lena)[0] == 553
    for recipient in (lena, "lena+tag@abschied.example"):
        code, text = answered(stack, recipient)
        assert code == 550
        assert f"{TODAY:%d.%m.%Y}" in text
        assert text.endswith("Please write to info@abschied.example")
    assert fetch(stack.ports, lena, PASSWORD, "vorher")
    stack.database.leaves(lena, TODAY - timedelta(days=2), reads_until=TODAY - timedelta(days=1))
    assert not any(accepted_by(stack.ports, lena, PASSWORD).values())


def test_deleted_mail_is_gone_from_the_disk(stack: Running, settings: Settings) -> None:
    settings.DOVEADM_URL, settings.DOVEADM_API_KEY = f"http://{HOST}:{stack.ports.doveadm}", API_KEY
    otto, olga = "otto@abschied.example", "olga@abschied.example"
    for address in (otto, olga):
        stack.database.mailbox(address, PASSWORD)
        receive(stack.ports, message(STRANGER, address, "vertraulich"))
        assert fetch(stack.ports, address, PASSWORD, "vertraulich")
    homes = {address: stack.database.home(address) for address in (otto, olga)}
    root = Path(dovecot.doveadm("user", userMask=[otto])[otto]["home"]).parents[1]
    assert any("vertraulich" in path.read_text(errors="replace") for path in (root / homes[otto]).rglob("*S=*"))

    with pytest.raises(dovecot.DovecotRefused):
        dovecot.delete_mail(otto, homes[olga])
    dovecot.delete_mail(otto, homes[otto])
    assert not (root / homes[otto]).exists()
    assert (root / homes[olga]).exists()
    assert fetch(stack.ports, olga, PASSWORD, "vertraulich")
    dovecot.delete_mail(otto, homes[otto])
