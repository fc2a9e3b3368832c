"""What is chosen in the portal is done to the very next message, for each mailbox apart, by the real servers."""

from __future__ import annotations

import itertools
import smtplib
import time
from typing import Any

import pytest
from django.test import override_settings

from accounts.emails import deliver
from tests.mailserver.clients import (
    HOST,
    ManageSieve,
    fetch,
    folder_of,
    imap,
    message,
    receive,
    subjects_in,
    submission,
)
from tests.mailserver.conftest import Running
from tests.promises import promise

PASSWORD = "Rechtes-Passwort 1"
STRANGER = "max.mustermann@example.org"
DOMAIN, SECOND = "regeln.example", "zweit-regeln.example"
ALICE, BOB, CAROL, DAVE, ERNA = (f"{name}@{DOMAIN}" for name in ("alice", "bob", "carol", "dave", "erna"))
KASSE = f"kasse@{DOMAIN}"
# What a message to several is judged by.
SPAM = "[score10]"
number = itertools.count()


@pytest.fixture(scope="module")
def town(stack: Running) -> Running:
    """Five mailboxes of a domain that a second one stands for; info@ is Erna's, who is responsible for kasse@ too."""
    for address in (ALICE, BOB, CAROL, DAVE, ERNA):
        stack.database.mailbox(address, PASSWORD)
    stack.database.function(KASSE, ERNA)
    stack.database.alias(f"info@{DOMAIN}", ERNA)
    stack.database.alias_domain(SECOND, DOMAIN)
    return stack


@pytest.fixture
def post(town: Running) -> Running:
    yield town
    town.database.no_lists()
    for address in (ALICE, BOB, CAROL, DAVE, ERNA, KASSE):
        town.database.spam(address)
        town.database.notice(address, is_on=False)
        town.database.forward(address)


def sent(stack: Running, *recipients: str, subject: str = "Gruß", sender: str = STRANGER, **headers: str) -> str:
    """Send a message and return the word in its subject that no other has."""
    word = f"wort{next(number)}"
    receive(stack.ports, message(sender, ", ".join(recipients), f"{subject} {word}", **headers))
    return word


def place(stack: Running, mailbox: str, word: str, **limits: float) -> str:
    return folder_of(stack.ports, mailbox, PASSWORD, word, **limits)


def lands(stack: Running, mailbox: str, **mail: str) -> str:
    """The folder that a message to a mailbox lands in."""
    return place(stack, mailbox, sent(stack, mailbox, **mail))


def replies(stack: Running, mailbox: str) -> list[str]:
    return [subject for subject in subjects_in(stack.ports, mailbox, PASSWORD) if subject.startswith("Auto: ")]


def answered(stack: Running, asker: str, *addresses: str, subject: str = "Gruß", **headers: str) -> int:
    """How many notices come back for messages to these addresses."""
    before = len(replies(stack, asker))
    words = [sent(stack, address, subject=subject, sender=asker, **headers) for address in addresses]
    for word in words:
        assert place(stack, ERNA, word)
    # A notice leaves before its message is stored, so what follows it through the queue comes after it.
    assert place(stack, asker, sent(stack, asker))
    time.sleep(0.3)
    return len(replies(stack, asker)) - before


class TestAScriptThatCannotBeAskedFor:
    @promise("A-57")
    def test_has_mail_wait_and_passes_no_list_by(self, post: Running) -> None:
        """The answer is an error, as for a name that Dovecot has lost with its connection."""
        post.database.listed("block", STRANGER, mailbox=ALICE)
        call = "FUNCTION mail.sieve_script_at(bigint, text)"
        post.database.run(f"REVOKE EXECUTE ON {call} FROM mail_ro")
        try:
            with (
                smtplib.LMTP(HOST, post.ports.lmtp, timeout=60) as session,
                pytest.raises(smtplib.SMTPDataError) as refused,
            ):
                session.send_message(message(STRANGER, ALICE, "ohne Regel"), STRANGER, [ALICE])
            assert refused.value.smtp_code == 451
        finally:
            post.database.run(f"GRANT EXECUTE ON {call} TO mail_ro")
        assert place(post, ALICE, "ohne Regel", timeout=0) == ""
        assert lands(post, ALICE) == "Junk"


class TestOneMessage:
    def test_to_four_recipients_has_the_four_outcomes_that_they_chose(self, post: Running) -> None:
        post.database.spam(ALICE, action="junk", threshold=6)
        post.database.spam(BOB, action="mark", threshold=6)
        post.database.spam(CAROL, action="discard", threshold=6)
        post.database.spam(DAVE, action="junk", threshold=12)
        word = sent(post, ALICE, BOB, CAROL, DAVE, subject=f"{SPAM} Grüße")
        assert [place(post, box, word) for box in (ALICE, BOB, DAVE)] == ["Junk", "INBOX", "INBOX"]
        assert [subject for subject in subjects_in(post.ports, BOB, PASSWORD) if word in subject] == [
            f"[SPAM] {SPAM} Grüße {word}"
        ]
        assert [subject for subject in subjects_in(post.ports, DAVE, PASSWORD) if word in subject] == [
            f"{SPAM} Grüße {word}"
        ]
        assert place(post, CAROL, sent(post, CAROL)) == "INBOX"
        assert place(post, CAROL, word, timeout=0) == ""

    def test_obeys_the_mailbox_by_whatever_address_it_comes(self, post: Running) -> None:
        post.database.spam(ERNA, action="junk", threshold=12)
        post.database.listed("block", STRANGER, mailbox=ERNA)
        for address in (f"erna+tag@{DOMAIN}", f"info@{DOMAIN}", f"erna@{SECOND}", f"info+tag@{SECOND}"):
            assert place(post, ERNA, sent(post, address)) == "Junk"
            assert place(post, ERNA, sent(post, address, subject=SPAM, sender="anna@example.net")) == "INBOX"


class TestLists:
    def test_change_the_fate_of_the_next_message(self, post: Running) -> None:
        assert lands(post, ALICE) == "INBOX"
        post.database.listed("block", STRANGER, mailbox=ALICE)
        assert lands(post, ALICE) == "Junk"
        assert lands(post, BOB) == "INBOX"
        post.database.no_lists()
        assert lands(post, ALICE) == "INBOX"

    def test_go_from_the_mailbox_up_and_allow_before_they_block(self, post: Running) -> None:
        proved = "[proved example.org]"
        for kind, where, folder in (
            ("block", {}, "Junk"),
            ("allow", {"tenant": True}, "INBOX"),
            ("block", {"domain": DOMAIN}, "Junk"),
            ("allow", {"mailbox": ALICE}, "INBOX"),
        ):
            post.database.listed(kind, "@example.org", **where)
            assert lands(post, ALICE, subject=proved) == folder
        post.database.listed("block", STRANGER, mailbox=ALICE)
        assert lands(post, ALICE, subject=f"{proved} [score30]") == "INBOX"
        assert lands(post, ALICE, subject="nicht bewiesen") == "Junk"

    def test_allow_only_who_is_proved(self, post: Running) -> None:
        post.database.listed("allow", STRANGER, mailbox=ALICE)
        for subject, folder in (
            ("[score30]", "Junk"),
            ("[score30] [proved example.net]", "Junk"),
            ("[score30] [proved example.org]", "INBOX"),
        ):
            assert lands(post, ALICE, subject=subject) == folder
        raw = f"From: {STRANGER}\nTo: {ALICE}\nSubject: [score30]"
        forged = [
            f"{raw} doppelt\nX-KSC-Auth: {STRANGER}\nx-ksc-auth : {STRANGER}\n\nText\n",
            f"X-KSC-Auth:\n {STRANGER}\n{raw} gefaltet\n\nText\n",
            f"From: anna@example.net\n{raw} [proved example.org] zweimal\n\nText\n",
            f"From: {STRANGER}, anna@example.net\n{raw.partition(chr(10))[2]} [proved example.org] mehrere\n\nText\n",
        ]
        with smtplib.SMTP(HOST, post.ports.smtp) as session:
            for mail in forged:
                session.sendmail("anna@example.net", [ALICE], mail)
        for word in ("doppelt", "gefaltet", "zweimal", "mehrere"):
            assert place(post, ALICE, word) == "Junk"

    def test_take_a_login_for_a_proof(self, post: Running) -> None:
        post.database.listed("allow", BOB, STRANGER, mailbox=ALICE)
        with submission(post.ports, BOB, PASSWORD) as session:
            for sender, word in ((BOB, "von Bob"), (STRANGER, "von einem anderen")):
                session.send_message(message(sender, ALICE, f"[score30] {word}"), BOB, [ALICE])
        assert [place(post, ALICE, word) for word in ("von Bob", "von einem anderen")] == ["INBOX", "Junk"]

    @promise("A-49")
    def test_work_with_ten_thousand_senders(self, post: Running) -> None:
        post.database.listed("block", *(f"langer.name{n}@domain-{n}.example" for n in range(10_000)), tenant=True)
        assert lands(post, ALICE, sender="langer.name9999@domain-9999.example") == "Junk"
        assert lands(post, ALICE, sender="langer.name9999@domain-999.example") == "INBOX"


class TestAMailboxForAPurpose:
    def test_has_settings_of_its_own_that_are_obeyed(self, post: Running) -> None:
        post.database.listed("block", STRANGER, mailbox=KASSE)
        post.database.spam(KASSE, action="mark", threshold=6)
        post.database.notice(KASSE)
        token = post.database.app_password(KASSE, "imap", holder=ERNA)
        blocked, spam = sent(post, KASSE, ERNA), sent(post, KASSE, ERNA, subject=SPAM, sender=CAROL)
        asked = sent(post, KASSE, sender=BOB)
        assert [folder_of(post.ports, KASSE, token, word) for word in (blocked, spam, asked)] == [
            "Junk",
            "INBOX",
            "INBOX",
        ]
        assert f"[SPAM] {SPAM} {spam}" in subjects_in(post.ports, KASSE, token)
        # Whoever is responsible decides for it, not by it for themselves.
        assert [place(post, ERNA, word) for word in (blocked, spam)] == ["INBOX", "Junk"]
        assert place(post, BOB, asked) == "INBOX"
        assert f"Auto: Gruß {asked}" in replies(post, BOB)


class TestANotice:
    def test_answers_once_from_whatever_address_was_written_to(self, post: Running) -> None:
        post.database.notice(ERNA)
        addresses = (ERNA, f"info@{DOMAIN}", f"erna@{SECOND}", f"erna+tag@{DOMAIN}")
        assert answered(post, ALICE, *addresses) == 1
        assert answered(post, BOB, f"info@{SECOND}", ERNA) == 1
        reply = fetch(post.ports, BOB, PASSWORD, "Auto: ").decode()
        assert f"From: <info@{SECOND}>" in reply and "Return-Path: <>" in reply and "Ich bin nicht da." in reply

    def test_answers_neither_lists_nor_bounces_nor_spam(self, post: Running) -> None:
        post.database.notice(ERNA)
        assert answered(post, CAROL, ERNA, List_Id="<liste.example>") == 0
        assert answered(post, CAROL, ERNA, Precedence="bulk") == 0
        assert answered(post, CAROL, ERNA, Auto_Submitted="auto-replied") == 0
        for action in ("mark", "junk"):
            post.database.spam(ERNA, action=action, threshold=6)
            assert answered(post, CAROL, ERNA, subject=SPAM) == 0
        assert answered(post, CAROL, ERNA) == 1

    def test_answers_too_where_no_copy_is_kept(self, post: Running) -> None:
        post.database.notice(ERNA)
        post.database.forward(ERNA, BOB, keeps_copy=False)
        word = sent(post, ERNA, sender=DAVE)
        assert place(post, BOB, word) == "INBOX"
        assert place(post, DAVE, "Auto: Gru") == "INBOX"
        assert place(post, ERNA, word, timeout=0) == ""


class TestAForward:
    def test_leaves_a_copy_or_none(self, post: Running) -> None:
        for keeps_copy, left in ((True, "INBOX"), (False, "")):
            post.database.forward(ALICE, BOB, CAROL, keeps_copy=keeps_copy)
            word = sent(post, f"alice+tag@{SECOND}")
            assert [place(post, box, word) for box in (BOB, CAROL)] == ["INBOX", "INBOX"]
            assert place(post, ALICE, word, timeout=5 if left else 0) == left

    @promise("A-51")
    def test_hides_no_notice_of_the_portal(self, post: Running) -> None:
        """Whoever sets it up in somebody's place cannot have the announcement sent away."""
        relay: dict[str, Any] = {"EMAIL_HOST": HOST, "EMAIL_PORT": post.ports.smtp}
        for is_on, keeps_copy in ((True, False), (False, False), (False, True)):
            post.database.notice(ALICE, is_on=is_on)
            post.database.forward(ALICE, BOB, keeps_copy=keeps_copy)
            word = f"wort{next(number)}"
            with override_settings(EMAIL_BACKEND="django.core.mail.backends.smtp.EmailBackend", **relay):
                deliver(ALICE, f"Neue Weiterleitung {word}", "Ihre Nachrichten gehen auch an Bob.")
            assert [place(post, box, word) for box in (ALICE, BOB)] == ["INBOX", "INBOX"]
            assert len([subject for subject in subjects_in(post.ports, ALICE, PASSWORD) if word in subject]) == 1
        post.database.forward(ALICE, BOB, keeps_copy=False)
        word = sent(post, ALICE, KSC_Notice="no")
        assert [place(post, BOB, word), place(post, ALICE, word, timeout=0)] == ["INBOX", ""]

    def test_sends_no_spam_on_and_nothing_of_whom_is_blocked(self, post: Running) -> None:
        post.database.forward(ALICE, BOB)
        post.database.listed("block", "boese@example.net", mailbox=ALICE)
        kept = []
        for action, folder in (("junk", "Junk"), ("mark", "INBOX")):
            post.database.spam(ALICE, action=action, threshold=6)
            kept += [sent(post, ALICE, subject=SPAM), sent(post, ALICE, sender="boese@example.net")]
            assert [place(post, ALICE, word) for word in kept[-2:]] == [folder, "Junk"]
        assert place(post, BOB, sent(post, ALICE)) == "INBOX"
        assert [place(post, BOB, word, timeout=0) for word in kept] == [""] * 4

    @promise("A-47")
    def test_is_not_in_force_where_two_lead_to_each_other(self, post: Running) -> None:
        """The portal refuses such a pair; whatever made one, a message stays where it came."""
        post.database.forward(ALICE, BOB)
        post.database.forward(BOB, ALICE)
        word, other = sent(post, ALICE), sent(post, BOB)
        assert [place(post, ALICE, word), place(post, BOB, other)] == ["INBOX", "INBOX"]
        assert [place(post, BOB, word, timeout=0), place(post, ALICE, other, timeout=0)] == ["", ""]


class TestAScriptOfOnesOwn:
    def script(self, post: Running, *lines: str) -> tuple[str, str]:
        with ManageSieve(post.ports) as sieve:
            assert sieve.login(DAVE, PASSWORD).startswith("OK")
            return sieve.put("eigenes", "\r\n".join([*lines, ""])), sieve.command('SETACTIVE "eigenes"')

    @pytest.fixture(autouse=True)
    def none_after(self, post: Running):
        yield
        with ManageSieve(post.ports) as sieve:
            assert sieve.login(DAVE, PASSWORD).startswith("OK")
            sieve.command('SETACTIVE ""')

    def test_runs_after_the_policy_and_before_the_notice(self, post: Running) -> None:
        self.script(
            post,
            'require ["fileinto", "mailbox", "imap4flags"];',
            'setflag "\\\\Flagged";',
            'if header :contains "subject" "[SPAM]" { fileinto :create "Verdacht"; }',
        )
        post.database.spam(DAVE, action="mark", threshold=6)
        word = sent(post, DAVE, subject=SPAM)
        assert fetch(post.ports, DAVE, PASSWORD, word, folder="Verdacht")
        post.database.spam(DAVE, action="junk", threshold=6)
        assert lands(post, DAVE, subject=SPAM) == "Junk"
        post.database.notice(DAVE)
        assert place(post, DAVE, sent(post, DAVE, sender=ALICE)) == "INBOX"
        assert place(post, ALICE, "Auto: Gru") == "INBOX"
        with imap(post.ports, DAVE, PASSWORD) as session:
            assert session.search(None, "FLAGGED")[1][0]

    @pytest.mark.parametrize("extension", ["enotify", "reject", "ereject", "editheader", "vnd.dovecot.pipe"])
    def test_may_not_use_what_leaves_the_house_or_forges_headers(self, post: Running, extension: str) -> None:
        put, _activated = self.script(post, f'require "{extension}";')
        assert put.startswith("NO")

    def test_sends_nothing_on_beside_the_forwards_in_force(self, post: Running) -> None:
        self.script(post, f'redirect "{CAROL}";')
        post.database.forward(DAVE, BOB)
        words = [sent(post, DAVE)]
        assert place(post, BOB, words[0]) == place(post, DAVE, words[0]) == "INBOX"
        post.database.spam(DAVE, action="mark", threshold=6)
        words.append(sent(post, DAVE, subject=SPAM))
        # While the forward is in force: a message whose scripts change on its way may come minutes later.
        assert place(post, DAVE, words[1]) == "INBOX"
        post.database.forward(DAVE)
        words.append(sent(post, DAVE))
        assert place(post, DAVE, words[2]) == "INBOX"
        assert place(post, CAROL, sent(post, CAROL)) == "INBOX"
        assert [place(post, CAROL, word, timeout=0) for word in words] == [""] * 3


class TestTheSpamFolder:
    def test_is_emptied_after_the_days_that_were_chosen(self, post: Running) -> None:
        [definition] = post.database.run("SELECT pg_get_functiondef('mail.filters_of'::regproc)").fetchone()
        post.database.spam(CAROL)
        word = sent(post, CAROL, subject=SPAM)
        assert place(post, CAROL, word) == "Junk"
        try:
            # A second stands for a day.
            post.database.run(definition.replace("'d'", "'s'"))
            time.sleep(1.5)
            assert place(post, CAROL, word, timeout=0) == "Junk"
            post.database.spam(CAROL, junk_days=1)
            # Dovecot looks when a session ends.
            place(post, CAROL, word, timeout=0)
            deadline = time.monotonic() + 5
            while place(post, CAROL, word, timeout=0) and time.monotonic() < deadline:
                time.sleep(0.1)
            assert place(post, CAROL, word, timeout=0) == ""
        finally:
            post.database.run(definition)
