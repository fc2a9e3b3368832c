"""A month of mail for the demo: what became of messages that never were, the same at each first start."""

from collections import Counter
from datetime import timedelta
from random import Random

from django.utils import timezone

from filters.models import MailDay, Verdict
from filters.month import LENGTH

OUTCOME = Verdict.Outcome
PROVED = ["DMARC_POLICY_ALLOW", "R_DKIM_ALLOW", "MIME_GOOD"]
# How often of a hundred, sender, lowest and highest score, what weighed most, what becomes of it.
KINDS = [
    (34, "kollegin{n}@musterdomain.de", (-4, 0), ["BAYES_HAM", "R_SPF_ALLOW", "MIME_GOOD"], OUTCOME.DELIVERED),
    (22, "kunde{n}@example.org", (-2, 3), PROVED, OUTCOME.DELIVERED),
    (10, "newsletter@shop{n}.example", (2, 5), ["MAILLIST", "MIME_HTML_ONLY", "BAYES_HAM"], OUTCOME.DELIVERED),
    (3, "post@lieferant.example", (4, 7), ["DMARC_POLICY_ALLOW", "MIME_HTML_ONLY", "PDF_ENCRYPTED"], OUTCOME.ALLOWED),
    (14, "gewinn{n}@lotto.example", (7, 12), ["BAYES_SPAM", "RBL_SPAMHAUS_SBL", "SUBJ_ALL_CAPS"], OUTCOME.JUNK),
    (8, "bank{n}@konto.example", (9, 16), ["PHISHING", "DMARC_POLICY_REJECT", "FROM_NEQ_DISPLAY_NAME"], OUTCOME.JUNK),
    (4, "werbung@shop.example", (2, 5), ["MAILLIST", "BAYES_SPAM", "HAS_LIST_UNSUB"], OUTCOME.BLOCKED),
    (5, "praemie{n}@kasino.example", (15, 25), ["FUZZY_DENIED", "DBL_SPAM", "HFILTER_HOSTNAME_5"], OUTCOME.REJECTED),
]  # fmt: skip


def fill(mailbox, *, a_day: int):
    """Give a mailbox a month of mail, fewer on days off, and its tenant the counts of the days."""
    chance = Random(mailbox.address.local_part)  # noqa: S311 - the same each time is what is wanted
    now = timezone.now()
    rows = []
    for days in range(LENGTH):
        day = now - timedelta(days=days)
        busy = a_day if timezone.localtime(day).weekday() < 5 else a_day // 4
        rows += [message(mailbox, day, chance) for _message in range(chance.randint(busy // 2, busy + busy // 2))]
    rows = [row for row in rows if row.at < now]
    Verdict.objects.bulk_create(rows)
    count(mailbox.tenant, rows)


def message(mailbox, day, chance) -> Verdict:
    [(_weight, sender, scores, symbols, outcome)] = chance.choices(KINDS, [kind[0] for kind in KINDS])
    sender = sender.format(n=chance.randint(1, 9))
    return Verdict(
        tenant=mailbox.tenant,
        mailbox=mailbox,
        at=day.replace(hour=chance.randint(5, 17), minute=chance.randint(0, 59)),
        sender=sender,
        envelope_sender=sender,
        score=round(chance.uniform(*scores), 2),
        symbols=symbols,
        authenticated="DMARC_POLICY_ALLOW" in symbols,
        outcome=outcome,
    )


def count(tenant, rows):
    kind = {outcome: name for name, outcomes in Verdict.COUNTED_AS.items() for outcome in outcomes}
    for (day, name), number in Counter((timezone.localdate(row.at), kind[row.outcome]) for row in rows).items():
        counts, _new = MailDay.objects.get_or_create(tenant=tenant, day=day)
        setattr(counts, name, getattr(counts, name) + number)
        counts.save()
