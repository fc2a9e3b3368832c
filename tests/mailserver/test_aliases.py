"""Where mail is led by aliases, alias domains and catch-all addresses, by the real servers."""

from __future__ import annotations

import smtplib
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tests.mailserver.clients import HOST, fetch, imap, message, receive, submission
from tests.mailserver.conftest import Running
from tests.promises import promise

PASSWORD = "Rechtes-Passwort 1"
STRANGER = "max.mustermann@example.org"
ANNA, BERT, TEAM = "anna@verteiler.example", "bert@verteiler.example", "team@verteiler.example"
TODAY = datetime.now(ZoneInfo("Europe/Berlin")).date()


@pytest.fixture(scope="module")
def led(stack: Running) -> Running:
    """Two mailboxes and an alias of both as which Anna may send, in a domain that a second one stands for."""
    stack.database.mailbox(ANNA, PASSWORD)
    stack.database.mailbox(BERT, PASSWORD)
    stack.database.alias(TEAM, ANNA, BERT, senders=[ANNA])
    stack.database.alias_domain("zweitname.example", "verteiler.example")
    return stack


def answered(stack: Running, recipient: str) -> int:
    """What a server elsewhere is told about a recipient."""
    with smtplib.SMTP(HOST, stack.ports.smtp) as session:
        session.ehlo()
        session.mail(STRANGER)
        return session.rcpt(recipient)[0]


def may_send(session: smtplib.SMTP, sender: str) -> bool:
    code, _text = session.mail(sender)
    session.rset()
    return code == 250


def arrives(stack: Running, recipient: str, *mailboxes: str) -> None:
    """A message to the recipient reaches each of these mailboxes."""
    subject = f"an {recipient} {len(mailboxes)}"
    receive(stack.ports, message(STRANGER, recipient, subject))
    for mailbox in mailboxes:
        assert b"Guten Tag" in fetch(stack.ports, mailbox, PASSWORD, subject)


def holds(stack: Running, mailbox: str, subject: str) -> bool:
    with imap(stack.ports, mailbox, PASSWORD) as session:
        return bool(session.search(None, "SUBJECT", f'"{subject}"')[1][0])


class TestWhereMailIsLed:
    def test_an_alias_reaches_each_mailbox_and_who_may_send_as_it_does(self, led: Running) -> None:
        for recipient in (TEAM, TEAM.replace("@", "+tag@"), "Team@zweitname.example", "team+tag@zweitname.example"):
            arrives(led, recipient, ANNA, BERT)
        with submission(led.ports, ANNA, PASSWORD) as anna, submission(led.ports, BERT, PASSWORD) as bert:
            for sender in (TEAM, "team@zweitname.example"):
                assert (may_send(anna, sender), may_send(bert, sender)) == (True, False)
            led.database.may_send(TEAM, BERT)
            for sender in (TEAM, "team@zweitname.example"):
                assert (may_send(anna, sender), may_send(bert, sender)) == (False, True)

    def test_an_alias_ends_with_its_last_day(self, led: Running) -> None:
        address = "messe@verteiler.example"
        led.database.alias(address, ANNA)
        with submission(led.ports, ANNA, PASSWORD) as session:
            for days, code, sends in ((0, 250, True), (-1, 550, False)):
                led.database.last_day(address, TODAY + timedelta(days=days))
                assert (answered(led, address), may_send(session, address)) == (code, sends)
                assert answered(led, "messe+tag@zweitname.example") == code

    def test_a_mailbox_that_refuses_is_left_out_and_one_that_waits_is_waited_for(self, led: Running) -> None:
        address, carl = "beide@verteiler.example", "carl@verteiler.example"
        led.database.mailbox(carl, PASSWORD)
        led.database.alias(address, ANNA, carl)
        led.database.deliver(carl, "refuse")
        arrives(led, address, ANNA)
        assert not holds(led, carl, f"an {address}")
        led.database.deliver(carl, "defer")
        assert answered(led, address) == 450

    def test_an_alias_domain_knows_what_the_other_one_knows(self, led: Running) -> None:
        arrives(led, "anna+tag@zweitname.example", ANNA)
        assert answered(led, "niemand@zweitname.example") == 550
        with submission(led.ports, ANNA, PASSWORD) as session:
            senders = ["anna@zweitname.example", "bert@zweitname.example", "niemand@zweitname.example"]
            assert [may_send(session, sender) for sender in senders] == [True, False, False]

    @promise("A-44")
    def test_a_catch_all_address_gets_what_never_existed_and_nothing_else(self, led: Running) -> None:
        closed = "zu@verteiler.example"
        led.database.alias(closed, BERT)
        led.database.close(closed)
        assert answered(led, "niemand@verteiler.example") == 550
        led.database.catch_all("verteiler.example", ANNA)
        for name in ("niemand", "niemand+tag"):
            arrives(led, f"{name}@verteiler.example", ANNA)
        arrives(led, "bert+nur@verteiler.example", BERT)
        assert not holds(led, ANNA, "an bert+nur@verteiler.example")
        for name in ("zu", "zu+tag", "webmaster", "hostmaster"):
            assert answered(led, f"{name}@verteiler.example") == 550
        assert answered(led, "niemand@zweitname.example") == 550
        led.database.deliver(BERT, "refuse")
        assert answered(led, BERT) == answered(led, "bert+tag@verteiler.example") == 550
        led.database.deliver(BERT, "accept")
        with submission(led.ports, ANNA, PASSWORD) as session:
            assert not may_send(session, "niemand@verteiler.example")
