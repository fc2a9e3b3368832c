"""The report by mail of what went to the spam folder: when, what it says, and that it comes once."""

from datetime import datetime, timedelta
from smtplib import SMTPServerDisconnected
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.core import mail
from django.core.management import call_command
from django.utils import timezone

from accounts.models import OutboxMessage
from filters import digests
from filters.models import SpamSettings
from tests.filters.reports import OUTCOME, make_verdict
from tests.marks import thorough

pytestmark = thorough

MAX = "max.mustermann@musterdomain.de"
BERLIN = ZoneInfo("Europe/Berlin")
# A Wednesday.
NOON = datetime(2026, 7, 15, 12, 0, tzinfo=BERLIN)


@pytest.fixture
def at_noon():
    with time_machine.travel(NOON, tick=False) as clock:
        yield clock


@pytest.fixture
def wanted(cast, at_noon):
    """Whoever wants one a day."""
    return SpamSettings.objects.create(tenant=cast.tenant, mailbox=cast.mailbox, digest="daily")


@pytest.fixture
def work(django_capture_on_commit_callbacks):
    """The worker's round; gives the reports that have gone out since the last one."""

    def work(*, killed=False):
        mail.outbox.clear()
        digests.ask_for_due()
        with django_capture_on_commit_callbacks(execute=not killed):
            call_command("worker", "--once")
        return [(message.to, message.subject) for message in mail.outbox]

    return work


def junk(mailbox, outcome=OUTCOME.JUNK, *, minutes=60, **fields):
    return make_verdict(mailbox, outcome, at=timezone.now() - timedelta(minutes=minutes), **fields)


class TestTheReport:
    def test_names_sender_time_and_reasons_and_links_to_the_portal(self, cast, wanted, work):
        junk(cast.mailbox, symbols=["BAYES_SPAM"])
        junk(cast.mailbox, OUTCOME.BLOCKED, sender="gesperrt@shop.example")
        junk(cast.mailbox, OUTCOME.DELIVERED, sender="gut@shop.example")
        junk(cast.mailbox, OUTCOME.REJECTED, sender="weg@shop.example")
        junk(cast.other_mailbox, sender="kanarienvogel@shop.example")
        assert work() == [([MAX], f"2 Nachrichten im Spam-Ordner von {MAX}")]
        text = mail.outbox[0].body
        assert "15.07.2026 11:00  werbung@shop.example" in text
        assert "Sie ähnelt Nachrichten, die als Spam gelernt wurden." in text
        assert "gesperrt@" in text and "gut@" not in text and "weg@" not in text and "kanarienvogel" not in text
        assert text.endswith("/was-wurde-aus-meiner-mail/")
        assert "Angebot" not in text

    def test_is_in_the_persons_language_and_names_subjects_that_were_kept(self, cast, wanted, work):
        cast.user.language = "en"
        cast.user.save()
        junk(cast.mailbox, subject="Big offer")
        assert work() == [([MAX], f"1 message in the spam folder of {MAX}")]
        assert "Big offer" in mail.outbox[0].body

    def test_makes_no_link_of_what_strangers_wrote(self, cast, wanted, work):
        junk(cast.mailbox, sender="www.evil.example", subject="http://evil.example/ <a href=//evil.example>x</a>")
        work()
        [(html, _kind)] = mail.outbox[0].alternatives
        assert html.count("<a ") == html.count('<a href="http://localhost:') == 1

    def test_names_no_more_than_anybody_reads(self, cast, wanted, work, monkeypatch):
        monkeypatch.setattr(digests, "MOST_ROWS", 2)
        for _message in range(5):
            junk(cast.mailbox)
        work()
        assert mail.outbox[0].body.count("werbung@shop.example") == 2
        assert "Und 3 weitere Nachrichten." in mail.outbox[0].body


class TestItComes:
    def test_once_a_day_with_what_came_since(self, cast, wanted, work, at_noon):
        junk(cast.mailbox, sender="eins@shop.example")
        assert len(work()) == 1
        junk(cast.mailbox, sender="zwei@shop.example", minutes=1)
        assert work() == []
        at_noon.shift(timedelta(hours=18, minutes=55))
        assert work() == []
        at_noon.shift(timedelta(minutes=15))
        assert len(work()) == 1
        assert "zwei@" in mail.outbox[0].body and "eins@" not in mail.outbox[0].body
        at_noon.shift(timedelta(hours=1))
        assert work() == []

    def test_once_a_week_on_monday(self, cast, wanted, work, at_noon):
        SpamSettings.objects.update(digest="weekly", digest_sent_at=NOON)
        junk(cast.mailbox, minutes=-60)
        at_noon.shift(timedelta(days=4))
        assert work() == []
        at_noon.shift(timedelta(days=1))
        assert len(work()) == 1
        at_noon.shift(timedelta(days=6))
        assert work() == []

    def test_not_where_there_is_nothing_to_tell(self, cast, wanted, work, at_noon):
        junk(cast.mailbox, OUTCOME.DELIVERED)
        assert work() == []
        wanted.refresh_from_db()
        assert wanted.digest_sent_at == NOON - digests.SETTLED
        assert not OutboxMessage.objects.exists()

    def test_not_to_whoever_wants_none_has_left_or_takes_no_mail(self, cast, wanted, work, at_noon):
        junk(cast.mailbox)
        for change in ({"delivery": "refuse"}, {"leaves_on": NOON.date(), "deletes_on": "2027-01-01"}):
            before = {name: getattr(cast.mailbox, name) for name in change}
            type(cast.mailbox).objects.filter(pk=cast.mailbox.pk).update(**change)
            assert work() == []
            type(cast.mailbox).objects.filter(pk=cast.mailbox.pk).update(**before)
        digests.ask_for_due()
        SpamSettings.objects.update(digest="never")
        assert work() == []

    def test_at_most_once_where_the_worker_is_killed_before_it_is_sent(self, cast, wanted, work):
        junk(cast.mailbox)
        assert work(killed=True) == []
        assert work() == []

    def test_later_where_the_mail_server_does_not_take_it(self, cast, wanted, work, at_noon, monkeypatch):
        junk(cast.mailbox)

        def refuse(*args):
            raise SMTPServerDisconnected

        with monkeypatch.context() as away:
            away.setattr(digests, "deliver", refuse)
            assert work() == []
        at_noon.shift(digests.AGAIN)
        assert len(work()) == 1

    def test_to_many_in_as_many_steps_as_it_takes(self, cast, wanted, work, monkeypatch):
        monkeypatch.setattr(digests, "AT_ONCE", 1)
        SpamSettings.objects.create(tenant=cast.other_tenant, mailbox=cast.other_mailbox, digest="daily")
        for box in (cast.mailbox, cast.other_mailbox):
            junk(box)
        assert len(work()) == 2


def here(text) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN)


@pytest.mark.parametrize(
    ("days", "at", "begun"),
    [
        (1, "2026-07-15 07:00", "2026-07-15 07:00"),
        (1, "2026-07-15 06:59", "2026-07-14 07:00"),
        (7, "2026-07-13 06:59", "2026-07-06 07:00"),
        (7, "2026-07-13 07:00", "2026-07-13 07:00"),
        # Clocks were put forward in the night before.
        (1, "2026-03-29 08:00", "2026-03-29 07:00"),
    ],
)
def test_a_period_begins_at_seven_on_the_clock(days, at, begun):
    assert digests.period_begun(days, here(at)) == here(begun)
