"""Spam that is rejected before it is accepted: Rspamd reads in Redis who wants that, and without Redis nobody does."""

from __future__ import annotations

import smtplib

import pytest

from tests.mailserver.clients import folder_of, message, receive
from tests.mailserver.conftest import Running

PASSWORD = "Rechtes-Passwort 1"
STRANGER = "max.mustermann@example.org"
VERA, WILLI = "vera@ablehnen.example", "willi@ablehnen.example"


@pytest.fixture(scope="module")
def boxes(stack: Running) -> Running:
    """Vera rejects what has eight points, Willi has the defaults; info@ is Vera's, team@ both's."""
    stack.database.mailbox(VERA, PASSWORD)
    stack.database.mailbox(WILLI, PASSWORD)
    stack.database.alias("info@ablehnen.example", VERA)
    stack.database.alias("team@ablehnen.example", VERA, WILLI)
    stack.database.alias_domain("zweit-ablehnen.example", "ablehnen.example")
    stack.database.spam(VERA, action="reject", threshold=8)
    work_off(stack)
    return stack


@pytest.fixture
def rejecting(boxes: Running) -> Running:
    yield boxes
    boxes.database.no_lists()


def work_off(stack: Running) -> None:
    """Let the worker write the copy that Rspamd reads."""
    stack.database.manage("worker", "--once", REDIS_URL=f"unix://{stack.launcher.settings.redis}")


def answer(stack: Running, *recipients: str, subject: str, sender: str = STRANGER) -> int:
    """What a server elsewhere is told about a whole message."""
    try:
        receive(stack.ports, message(sender, ", ".join(recipients), subject))
    except smtplib.SMTPDataError as error:
        return error.smtp_code
    return 250


class TestSpamToWhoRejectsIt:
    def test_is_refused_for_one_recipient_by_whatever_address(self, rejecting: Running) -> None:
        for number, recipient in enumerate(
            (VERA, "Vera+tag@ablehnen.example", "info@ablehnen.example", "info@zweit-ablehnen.example")
        ):
            assert answer(rejecting, recipient, subject=f"[score20] eins {number}") == 554
            assert answer(rejecting, recipient, subject=f"[score6] wenig {number}") == 250
        assert folder_of(rejecting.ports, VERA, PASSWORD, "wenig 3") == "INBOX"

    def test_is_judged_at_each_mailbox_where_it_goes_to_several(self, rejecting: Running) -> None:
        assert answer(rejecting, VERA, WILLI, subject="[score20] zwei") == 250
        assert answer(rejecting, "team@ablehnen.example", subject="[score20] team") == 250
        for subject in ("zwei", "team"):
            for mailbox in (VERA, WILLI):
                assert folder_of(rejecting.ports, mailbox, PASSWORD, subject) == "Junk"

    def test_is_accepted_from_whom_a_list_names(self, rejecting: Running) -> None:
        subject = "[score20] [proved example.org] {}"
        assert answer(rejecting, VERA, subject=subject.format("vorher")) == 554
        rejecting.database.listed("allow", "@example.org", domain="ablehnen.example")
        rejecting.database.listed("block", "boese@example.net", tenant=True)
        work_off(rejecting)
        assert answer(rejecting, VERA, subject=subject.format("erlaubt")) == 250
        assert answer(rejecting, VERA, subject="[score20] nur behauptet") == 554
        assert answer(rejecting, VERA, subject="[score20] gesperrt", sender="boese@example.net") == 250
        assert folder_of(rejecting.ports, VERA, PASSWORD, "erlaubt") == "INBOX"
        assert folder_of(rejecting.ports, VERA, PASSWORD, "gesperrt") == "Junk"

    def test_follows_each_change(self, rejecting: Running) -> None:
        late = "spaet@ablehnen.example"
        rejecting.database.spam(VERA, action="junk")
        work_off(rejecting)
        assert answer(rejecting, VERA, subject="[score20] Ordner") == 250
        rejecting.database.spam(VERA, action="reject", threshold=12)
        rejecting.database.alias(late, VERA)
        work_off(rejecting)
        assert [answer(rejecting, late, subject=subject) for subject in ("[score10]", "[score20]")] == [250, 554]

    def test_goes_to_the_spam_folder_while_redis_is_away_or_knows_nothing(self, rejecting: Running) -> None:
        rejecting.launcher.stop_redis()
        try:
            assert answer(rejecting, VERA, subject="[score20] ohne Redis") == 250
            assert folder_of(rejecting.ports, VERA, PASSWORD, "ohne Redis") == "Junk"
        finally:
            rejecting.launcher.start_redis()
        assert answer(rejecting, VERA, subject="[score20] leeres Redis") == 250
        rejecting.database.manage("rebuild_rejects", REDIS_URL=f"unix://{rejecting.launcher.settings.redis}")
        assert answer(rejecting, VERA, subject="[score20] wieder da") == 554
