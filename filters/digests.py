"""The report by mail of what went to a mailbox's spam folder: daily or weekly, at most one a period.

A report that was asked for goes out after the message in the outbox is done with: a worker that is killed in between
has sent none, never two.
"""

from datetime import datetime, timedelta
from functools import partial
from smtplib import SMTPException

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Coalesce
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from accounts.emails import deliver, written
from accounts.models import OutboxMessage, Tenant
from mailboxes.models import Mailbox

from .boxes import query_of
from .models import SpamSettings, Verdict
from .models.settings import Digest

KIND = "spam_digest"
# A day begins when people come to work; a week on Monday.
HOUR = 7
DAYS = {Digest.DAILY: 1, Digest.WEEKLY: 7}
# Verdicts that are younger may still be on their way.
SETTLED = timedelta(minutes=5)
AT_ONCE = 500
MOST_ROWS = 100
AGAIN = timedelta(minutes=5)


def ask_for_due():
    """Have the worker send each report whose period is over; the worker calls this from time to time."""
    until = timezone.now() - SETTLED
    for digest, days in DAYS.items():
        begun = period_begun(days, until)
        while ask(digest, begun, begun - timedelta(days=days), until) == AT_ONCE:
            pass


def period_begun(days: int, at: datetime) -> datetime:
    """When the running period began: at seven today or yesterday, or on Monday."""
    here = timezone.localtime(at).replace(tzinfo=None)
    day = (here - timedelta(hours=HOUR)).date()
    if days == DAYS[Digest.WEEKLY]:
        day -= timedelta(days=day.weekday())
    return timezone.make_aware(datetime.combine(day, datetime.min.time()) + timedelta(hours=HOUR))


def ask(digest, begun, first, until) -> int:
    """Ask for so many reports at once, and put on record that this period's is asked for; gives how many were due."""
    since = Coalesce(OuterRef("digest_sent_at"), first)
    junk = Verdict.objects.gone_to_spam_folder().filter(mailbox=OuterRef("pk"), at__gt=since, at__lte=until)
    due = SpamSettings.objects.filter(
        Q(digest_sent_at=None) | Q(digest_sent_at__lt=begun),
        digest=digest,
        tenant__status=Tenant.Status.ACTIVE,
        mailbox__delivery=Mailbox.Delivery.ACCEPT,
    ).exclude(mailbox__leaves_on__lte=timezone.localdate())
    with transaction.atomic():
        locked = due.select_for_update(skip_locked=True, of=("self",)).order_by("pk")[:AT_ONCE]
        found = SpamSettings.objects.filter(pk__in=[each.pk for each in locked])
        OutboxMessage.objects.bulk_create(
            OutboxMessage(kind=KIND, payload=payload(each.pk, each.digest_sent_at or first, until))
            for each in found.filter(Exists(junk))
        )
        return found.update(digest_sent_at=until)


def payload(mailbox, since, until) -> dict:
    return {"mailbox": mailbox, "since": since.isoformat(), "until": until.isoformat()}


def send(mailbox, since, until):
    """Write the report, and send it once the outbox has let go of it; nothing to whoever wants none any more."""
    span = (parse_datetime(since), parse_datetime(until))
    box = (
        Mailbox.objects.exclude(spam_settings__digest=Digest.NEVER)
        .with_person()
        .select_related("user__tenant")
        .filter(pk=mailbox)
        .first()
    )
    rows = Verdict.objects.gone_to_spam_folder().filter(mailbox=mailbox, at__gt=span[0], at__lte=span[1])
    if not box or not (number := rows.count()):
        return
    context = {"mailbox": box, "rows": rows[:MOST_ROWS], "more": max(0, number - MOST_ROWS), "number": number}
    subject, text = written(box.user, KIND, since=span[0], **context)
    link = settings.BASE_URL + reverse("verdicts") + query_of(box)
    sending = partial(send_once, str(box.address.address), subject, text, link, payload(mailbox, *span))
    transaction.on_commit(sending, robust=True)


def send_once(to, subject, text, link, again):
    """Should the mail server not take it, it is tried again later: then nobody has got it."""
    try:
        deliver(to, subject, text, link)
    except (SMTPException, OSError):
        OutboxMessage.objects.add(KIND, due=timezone.now() + AGAIN, **again)
