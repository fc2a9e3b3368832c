"""What Rspamd says of messages reaches the portal, and no message waits for the portal."""

from __future__ import annotations

import re
import smtplib
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from mailserver.__main__ import SAMPLE
from mailserver.render import render
from mailserver.settings import SettingsError
from tests.mailserver.clients import HOST, fetch, message, receive
from tests.mailserver.conftest import Running
from tests.mailserver.portal import portal

PASSWORD = "Rechtes-Passwort 1"
PAULA, OTTO = "paula@verdikt.example", "otto@verdikt.example"
# Less than Rspamd waits for the portal's answer.
AT_ONCE = 2.5
ROWS = """
SELECT a.address, v.sender, v.envelope_sender, v.score::text, v.outcome, v.subject, v.symbols
FROM filters_verdict v JOIN mailboxes_mailbox m ON m.id = v.mailbox_id JOIN mailboxes_address a ON a.id = m.address_id
WHERE v.envelope_sender = %s ORDER BY a.address
"""


@pytest.fixture(scope="module")
def boxes(stack: Running) -> None:
    stack.database.mailbox(PAULA, PASSWORD)
    stack.database.mailbox(OTTO, PASSWORD)
    stack.database.alias("verkauf@verdikt.example", PAULA, OTTO)


@pytest.fixture
def listening(stack: Running, boxes: None) -> Iterator[None]:
    with portal(stack.database, stack.portal_port):
        yield


def rows(stack: Running, envelope_sender: str, number: int) -> list[tuple[Any, ...]]:
    """What is kept of messages with this envelope, as soon as it is so many mailboxes'."""
    deadline = time.monotonic() + 20
    while True:
        found = stack.database.run(ROWS, envelope_sender).fetchall()
        if len(found) >= number or time.monotonic() > deadline:
            return found
        time.sleep(0.1)


def hand_in(stack: Running, mail: EmailMessage | bytes, sender: str, *recipients: str) -> float:
    """Hand a message in on port 25; gives the seconds that it took."""
    begun = time.monotonic()
    with smtplib.SMTP(HOST, stack.ports.smtp, timeout=30) as session:
        session.sendmail(sender, list(recipients), mail if isinstance(mail, bytes) else bytes(mail))
    return time.monotonic() - begun


def test_the_exporter_is_off_without_an_address_and_its_secret_is_rspamds_alone(tmp_path: Path) -> None:
    written = tmp_path / "rspamd" / "local.d" / "metadata_exporter.conf"
    sample = replace(SAMPLE, tls_certificate="/cert", tls_key="/key")
    render(sample, tmp_path)
    assert written.read_text() == "enabled = false;\n"
    render(replace(sample, verdicts_url="http://127.0.0.1:8000/rspamd/verdicts", verdicts_secret="geheim"), tmp_path)
    assert 'secret = "geheim";' in written.read_text()
    assert (written.stat().st_mode & 0o777, written.group()) == (0o640, "_rspamd")
    for url, secret in (("http://x", ""), ("", "geheim"), ("http://x", 'a"'), ("http://x;", "geheim")):
        with pytest.raises(SettingsError, match="verdicts"):
            replace(sample, verdicts_url=url, verdicts_secret=secret)


def test_each_mailbox_that_a_message_reaches_has_its_row(stack: Running, listening: None) -> None:
    sender = "Versand@Shop.example"
    mail = message(f'"Der Laden" <{sender}>', "verkauf@verdikt.example", "Ihre Bestellung")
    hand_in(stack, mail, "bounce@shop.example", "verkauf@verdikt.example", "paula+shop@verdikt.example")
    found = rows(stack, "bounce@shop.example", 2)
    assert [row[:3] for row in found] == [
        (OTTO, "versand@shop.example", "bounce@shop.example"), (PAULA, "versand@shop.example", "bounce@shop.example")
    ]  # fmt: skip
    delivered = fetch(stack.ports, OTTO, PASSWORD, "Ihre Bestellung")
    [score] = re.findall(rb"X-KSC-Spam-Score: (\S+)", delivered)
    assert {row[3] for row in found} == {score.decode()}
    assert {row[4] for row in found} == {"delivered"}
    # No organisation keeps subjects unless it says so.
    assert {row[5] for row in found} == {""}
    assert all(row[6] for row in found)


UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "ß": "ss"})


def test_umlauts_in_a_short_message_cost_no_points(stack: Running, listening: None) -> None:
    words = ("Hallo Max, Grüße", "Danke! Schöne Grüße, Erika", "Äpfel für Jörg: http://bücher.example/übersicht")
    scores: dict[str, set[str]] = {}
    for number, text in enumerate(words):
        sender = f"erika{number}@shop.example"
        for written in (text, text.translate(UMLAUTS)):
            mail = message(sender, PAULA, written.partition(" ")[2])
            # Both travel the same way, so that only the letters differ.
            mail.set_content(f"{written}\n", charset="utf-8", cte="8bit")
            hand_in(stack, mail, sender, PAULA)
        scores[text] = {row[3] for row in rows(stack, sender, 2)}
    assert {text: len(different) for text, different in scores.items()} == dict.fromkeys(words, 1)


def test_hostile_headers_are_told_and_stored_without_their_poison(stack: Running, listening: None) -> None:
    stack.database.run(
        "INSERT INTO filters_spampolicy (tenant_id, keeps_subjects) SELECT id, true FROM accounts_tenant"
    )
    head = b'From: "\xff\xfe\x01" <b\xf6se@shop.example>\r\nTo: paula@verdikt.example\r\n'
    head += b"Subject: =?utf-8?b?AAECAw==?= \xff\xc3\xa4 =?utf-8?q?=0D=0AX: y?=" + b"x" * 2000 + b"\r\n\r\nText\r\n"
    hand_in(stack, head, "feind@shop.example", PAULA)
    [row] = rows(stack, "feind@shop.example", 1)
    assert row[0] == PAULA and row[1].endswith("@shop.example")
    assert len(row[5]) <= 200 and row[5].isprintable()
    stack.database.run("DELETE FROM filters_spampolicy")


def test_mail_flows_when_nobody_listens(stack: Running, boxes: None) -> None:
    mail = message("a@shop.example", PAULA, "Stille")
    assert hand_in(stack, mail, "a@shop.example", PAULA) < AT_ONCE
    fetch(stack.ports, PAULA, PASSWORD, "Stille")


def test_mail_flows_when_the_portal_takes_connections_and_never_answers(stack: Running, boxes: None) -> None:
    with socket.create_server((HOST, stack.portal_port), backlog=100) as silent:
        silent.settimeout(10)
        seconds = [
            hand_in(stack, message("a@shop.example", PAULA, f"Schweigen{number}"), "a@shop.example", PAULA)
            for number in range(3)
        ]
        # It was asked, though.
        silent.accept()[0].close()
    assert max(seconds) < AT_ONCE
    fetch(stack.ports, PAULA, PASSWORD, "Schweigen2")


def test_the_portal_is_told_again_as_soon_as_it_is_back(stack: Running, listening: None) -> None:
    receive(stack.ports, message("zurueck@shop.example", OTTO, "Wieder da"))
    assert [row[0] for row in rows(stack, "zurueck@shop.example", 1)] == [OTTO]
