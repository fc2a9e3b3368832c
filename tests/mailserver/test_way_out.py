"""Mail of strangers that a mailbox sends on out of the house, all the way through the real servers."""

from __future__ import annotations

import itertools
import smtplib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.mailserver.clients import HOST, folder_of, message, receive, subjects_in, submission, wait_for_login
from tests.mailserver.conftest import Running
from tests.mailserver.outside import Arrived
from tests.mailserver.queue import deferred, drain, postfix
from tests.promises import promise

PASSWORD = "Rechtes-Passwort 1"
STRANGER, FRIEND = "max.mustermann@example.org", "max@privat.example.net"
FRIEDA, GERD, HANNA = (f"{name}@hinaus.example" for name in ("frieda", "gerd", "hanna"))
NOW, DAY = datetime.now(UTC), timedelta(days=1)
AGREED: dict[str, Any] = {"confirmed_at": NOW, "approved_at": NOW}
number = itertools.count()


@pytest.fixture(scope="module")
def house(stack: Running) -> Running:
    for address in (FRIEDA, GERD, HANNA):
        stack.database.mailbox(address, PASSWORD)
    return stack


@pytest.fixture
def frieda(house: Running) -> Iterator[Running]:
    """Her mail is sent on, and a copy kept; her organisation wants to approve of that."""
    house.database.forwards_outside("approval")
    house.database.forward(FRIEDA, FRIEND, **AGREED)
    yield house
    house.database.forward(FRIEDA)
    house.database.spam(FRIEDA)
    house.database.no_lists()
    house.database.forwards_outside("forbidden")


def sent(stack: Running, subject: str = "Hallo", sender: str = STRANGER) -> str:
    """Send Frieda a message from elsewhere and return the word in its subject that no other has."""
    word = f"hinaus{next(number)}."
    receive(stack.ports, message(sender, FRIEDA, f"{subject} {word}"))
    return word


def kept(stack: Running, word: str, **limits: float) -> str:
    return folder_of(stack.ports, FRIEDA, PASSWORD, word, **limits)


def outside(stack: Running, word: str) -> list[Arrived]:
    """What has arrived elsewhere of a message."""
    return [mail for mail in stack.outside.arrived if word.encode() in mail.text]


def arrived(stack: Running, word: str) -> Arrived:
    return stack.outside.wait_for(lambda mail: word.encode() in mail.text)


def stay(stack: Running, *words: str) -> bool:
    """Whether none of these messages, which are kept, has left; what leaves later overtakes none of them."""
    stack.database.forwards_outside("approval")
    stack.database.forward(FRIEDA, FRIEND, **AGREED)
    arrived(stack, sent(stack))
    return [mail for word in words for mail in outside(stack, word)] == []


class TestMailThatIsSentOn:
    def test_has_a_sender_of_ours_and_says_who_wrote_it(self, frieda: Running) -> None:
        word = sent(frieda)
        mail = arrived(frieda, word)
        assert mail.recipients == (FRIEND,)
        assert mail.sender.startswith("SRS0=")
        assert mail.sender.endswith("=example.org=max.mustermann@srs.hoster.example")
        assert f"From: {STRANGER}\r\nTo: {FRIEDA}\r\n".encode() in mail.text
        assert b"X-KSC-Spam-Score: " in mail.text
        assert kept(frieda, word) == "INBOX"
        assert len(outside(frieda, word)) == 1

    def test_leaves_no_copy_where_none_is_wanted(self, frieda: Running) -> None:
        frieda.database.forward(FRIEDA, FRIEND, keeps_copy=False, **AGREED)
        word = sent(frieda)
        assert arrived(frieda, word).sender.startswith("SRS0=")
        assert kept(frieda, word, timeout=0) == ""

    def test_keeps_its_sender_where_that_is_one_of_ours(self, frieda: Running) -> None:
        with submission(frieda.ports, FRIEDA, PASSWORD) as session:
            session.send_message(message(FRIEDA, FRIEDA, "an mich hinaus-eigene"), FRIEDA, [FRIEDA])
        assert arrived(frieda, "hinaus-eigene").sender == FRIEDA

    def test_is_no_spam_and_of_nobody_who_is_blocked(self, frieda: Running) -> None:
        frieda.database.listed("block", "boese@example.net", mailbox=FRIEDA)
        words = []
        for action, folder in (("junk", "Junk"), ("mark", "INBOX")):
            frieda.database.spam(FRIEDA, action=action, threshold=6)
            frieda.database.forward(FRIEDA, FRIEND, keeps_copy=action == "mark", **AGREED)
            words += [sent(frieda, "[score10]"), sent(frieda, sender="boese@example.net")]
            assert [kept(frieda, word) for word in words[-2:]] == [folder, "Junk"]
        assert stay(frieda, *words)


class TestNothingLeavesTheHouse:
    @promise("A-51")
    @pytest.mark.parametrize(
        ("rule", "chosen"),
        [
            ("approval", {"confirmed_at": None}),
            ("approval", {"approved_at": None}),
            ("warning", {"confirmed_at": None}),
            ("forbidden", {}),
            ("approval", {"valid_until": NOW.date() - 2 * DAY}),
            ("approval", {"valid_from": NOW.date() + 2 * DAY}),
            ("approval", {"held_at": NOW}),
            ("approval", {"is_on": False}),
        ],
        ids=["unconfirmed", "unapproved", "warned but unconfirmed", "forbidden", "over", "early", "held", "off"],
    )
    def test_unless_all_agree_to_it_on_its_days(self, frieda: Running, rule: str, chosen: dict[str, Any]) -> None:
        frieda.database.forwards_outside(rule)
        frieda.database.forward(FRIEDA, FRIEND, keeps_copy=False, **AGREED | chosen)
        word = sent(frieda)
        assert kept(frieda, word) == "INBOX"
        assert stay(frieda, word)

    def test_but_with_a_warning_what_was_never_approved_does(self, frieda: Running) -> None:
        frieda.database.forwards_outside("warning")
        frieda.database.forward(FRIEDA, FRIEND, **AGREED | {"approved_at": None})
        assert arrived(frieda, sent(frieda))


def copies(stack: Running, word: str) -> list[int]:
    """How many of a message each of the three mailboxes has."""
    boxes = (FRIEDA, GERD, HANNA)
    return [sum(word in subject for subject in subjects_in(stack.ports, box, PASSWORD)) for box in boxes]


class TestTheSecondOfTwoTargets:
    """Pigeonhole hands both in one after the other, and goes back to neither once the first is taken."""

    @pytest.fixture
    def twice(self, frieda: Running) -> Iterator[Running]:
        frieda.database.forward(FRIEDA, GERD, HANNA, keeps_copy=False)
        yield frieda
        frieda.database.deliver(HANNA, "accept")

    @promise("A-57")
    def test_that_takes_no_mail_for_now_has_its_copy_when_it_does(self, twice: Running) -> None:
        twice.database.deliver(HANNA, "defer")
        word = sent(twice)
        assert "450 4.2.1" in deferred(twice, HANNA)
        assert folder_of(twice.ports, GERD, PASSWORD, word) == "INBOX"
        assert copies(twice, word) == [0, 1, 0]
        postfix(twice, "postqueue", "-f")
        twice.database.deliver(HANNA, "accept")
        drain(twice)
        assert copies(twice, word) == [0, 1, 1]

    @promise("A-57")
    def test_that_cannot_be_looked_up_just_then_has_its_copy_afterwards(self, twice: Running) -> None:
        """As if the database went away when the script had been read, which is too short a while to be met."""
        call = "FUNCTION mail.access_of(text), mail.targets_of(text)"
        twice.database.run(f"REVOKE EXECUTE ON {call} FROM mail_ro")
        try:
            mail = message(STRANGER, FRIEDA, "ohne Auskunft hinaus-zweimal")
            with smtplib.LMTP(HOST, twice.ports.lmtp, timeout=60) as session:
                session.send_message(mail, STRANGER, [FRIEDA])
            for target in (GERD, HANNA):
                assert "451 4.3." in deferred(twice, target)
            assert copies(twice, "hinaus-zweimal") == [0, 0, 0]
        finally:
            twice.database.run(f"GRANT EXECUTE ON {call} TO mail_ro")
            # Else it asks again only after a minute.
            postfix(twice, "postfix", "reload")
        drain(twice)
        assert copies(twice, "hinaus-zweimal") == [0, 1, 1]

    @promise("A-57")
    def test_is_taken_while_the_database_is_away(self, twice: Running) -> None:
        twice.database.pause()
        try:
            with smtplib.SMTP(HOST, twice.ports.reinjection, timeout=60) as session:
                session.send_message(message(STRANGER, FRIEDA, "ohne Datenbank hinaus-weiter"), STRANGER, [HANNA])
            assert "451 4.3." in deferred(twice, HANNA)
        finally:
            twice.database.resume()
        twice.database.wait_for_bouncer()
        postfix(twice, "postfix", "reload")
        drain(twice)
        for box in (FRIEDA, GERD, HANNA):
            wait_for_login(twice.ports, box, PASSWORD)
        assert copies(twice, "hinaus-weiter") == [0, 0, 1]
