"""What became of mail: one row for each message and mailbox that it reached, for a month at most; and counts a day."""

import json
from datetime import timedelta

from django.contrib.postgres.fields import ArrayField
from django.db import connection, models
from django.db.models import BooleanField, Count, F, Func, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce, TruncDate
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Tenant, User
from accounts.tenant_keys import SameTenantKey
from mailboxes.models import Mailbox
from mailboxes.models.addresses import TenantScopedQuerySet

from ..month import Day, Month, first_day
from ..reasons import reasons
from .senders import SenderRule
from .settings import Sensitivity, SpamPolicy

KEPT_DAYS = SpamPolicy._meta.get_field("verdict_days").default
# Counts name nobody, so they outlast the rows that they were made of.
COUNTED_FOR = timedelta(days=400)


class VerdictQuerySet(TenantScopedQuerySet["Verdict"]):
    def visible_to(self, viewer):
        """Whoever reads the mail sees what became of it: the owner, or members. DVB and DSB see counts alone."""
        if not viewer.is_authenticated or viewer.role != User.Role.USER:
            return self.none()
        return self.filter(tenant_id=viewer.tenant_id, mailbox__in=Mailbox.objects.opened_by(viewer).order_by())

    def keep(self, told: list[dict]) -> int:
        """Write what Rspamd said of messages, in one statement; gives the number of rows, one a mailbox reached."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT filters_keep_verdicts(%s)", [json.dumps(told)])
            return cursor.fetchone()[0]

    def from_sender(self, text: str):
        """Those whose sender contains this, in the header or on the envelope."""
        return self.filter(Q(sender__contains=text.lower()) | Q(envelope_sender__contains=text.lower()))

    def with_own_list(self):
        """With `own_list`: the kind of the mailbox's own list on which the sender stands today, None for neither."""
        keys = Func(OuterRef("sender"), template="(filters_sender_keys(%(expressions)s))")
        names = Func(F("sender"), keys, template="%(expressions)s", arg_joiner=" = ANY ", output_field=BooleanField())
        # The whitelist goes before the blacklist.
        rules = SenderRule.objects.in_force().filter(names, mailbox=OuterRef("mailbox")).order_by("kind")
        return self.annotate(own_list=Subquery(rules.values("kind")[:1]))

    def gone_to_spam_folder(self):
        return self.filter(outcome__in=self.model.IN_SPAM_FOLDER)

    def outdated(self, days: int):
        """Those of the tenants that keep them for so many days, and older than that."""
        keeping = Tenant.objects.annotate(days=Coalesce("spam_policy__verdict_days", KEPT_DAYS)).filter(days=days)
        return self.filter(tenant__in=keeping, at__lt=timezone.now() - timedelta(days=days))

    def by_day(self):
        """The last days, as `filters.month.Day` has them; those without a message are left out."""
        rows = self.filter(at__gte=first_day()).order_by().values(day=TruncDate("at"))
        counted = self.model.COUNTED_AS.items()
        return rows.annotate(**{name: Count("pk", filter=Q(outcome__in=outcomes)) for name, outcomes in counted})

    def month_of(self, mailbox) -> Month:
        """The mailbox's last days, counted in one query."""
        return Month.of(Day(**row) for row in self.filter(mailbox=mailbox).by_day())

    def preview_of(self, mailbox) -> list[dict]:
        """For each sensitivity how many of the last days' messages would have been spam, in one query.

        What a list of senders decided counts as a message, but at no sensitivity as spam.
        """
        by_score = ~Q(outcome__in=self.model.BY_LIST)
        counts = {f"at_{each}": Count("pk", filter=by_score & Q(score__gte=each)) for each in Sensitivity.values}
        found = self.filter(mailbox=mailbox, at__gte=first_day()).aggregate(messages=Count("pk"), **counts)
        return [
            {
                "sensitivity": each,
                "score": each.value,
                "spam": found[f"at_{each.value}"],
                "messages": found["messages"],
            }
            for each in Sensitivity
        ]


class Verdict(models.Model):
    """Rspamd's verdict on one message, and what this mailbox's settings of that moment made of it."""

    class Outcome(models.TextChoices):
        DELIVERED = "delivered", _("delivered")
        MARKED = "marked", _("delivered, subject marked")
        JUNK = "junk", _("spam folder")
        REJECTED = "rejected", _("rejected")
        DISCARDED = "discarded", _("deleted")
        ALLOWED = "allowed", _("delivered: sender on a whitelist")
        BLOCKED = "blocked", _("spam folder: sender on a blacklist")
        BLOCKED_DISCARDED = "dropped", _("not delivered: sender on a blacklist")

    class List(models.IntegerChoices):
        """Whose list decided: the levels of filters_rules_of."""

        OWN = 1, _("Your own list decided.")
        DOMAIN = 2, _("The list of your domain decided.")
        TENANT = 3, _("The list of your organisation decided.")
        INSTALLATION = 4, _("The list for all customers decided.")

    IN_SPAM_FOLDER = (Outcome.JUNK, Outcome.BLOCKED)
    BY_LIST = (Outcome.ALLOWED, Outcome.BLOCKED, Outcome.BLOCKED_DISCARDED)
    COUNTED_AS = {
        "delivered": (Outcome.DELIVERED, Outcome.ALLOWED),
        "spam": (Outcome.MARKED, *IN_SPAM_FOLDER),
        "stopped": (Outcome.REJECTED, Outcome.DISCARDED, Outcome.BLOCKED_DISCARDED),
    }

    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="+")
    mailbox = SameTenantKey(Mailbox, models.CASCADE, related_name="verdicts")
    at = models.DateTimeField(_("time"))
    sender = models.CharField(_("sender"), max_length=254, blank=True)
    envelope_sender = models.CharField(_("envelope sender"), max_length=254, blank=True)
    subject = models.CharField(_("subject"), max_length=200, blank=True, default="", db_default="")
    score = models.DecimalField(_("score"), max_digits=6, decimal_places=2)
    # Rspamd's names of what weighed most, the weightiest first.
    symbols = ArrayField(models.CharField(max_length=60), size=3, default=list)
    authenticated = models.BooleanField(_("sender proved"), default=False, db_default=False)
    outcome = models.CharField(_("outcome"), max_length=9, choices=Outcome)
    decided_by = models.PositiveSmallIntegerField(_("list that decided"), choices=List, null=True, editable=False)
    # The owner's whitelist names the sender, but nothing proved that it was the sender.
    unproved = models.BooleanField(_("whitelist did not count"), default=False, db_default=False)

    objects = VerdictQuerySet.as_manager()

    class Meta:
        verbose_name = _("what became of a message")
        verbose_name_plural = _("what became of messages")
        ordering = ["-at", "-pk"]
        indexes = [
            models.Index(fields=["mailbox", "-at"], name="filters_verdict_mailbox"),
            models.Index(fields=["tenant", "at"], name="filters_verdict_tenant"),
        ]

    def __str__(self):
        return self.sender

    @property
    def reasons(self) -> list[str]:
        """What weighed most, in sentences."""
        return reasons(self.symbols)

    @property
    def missed_whitelist(self) -> bool:
        """Whether the owner's whitelist would have changed what became of it, had the sender been proved."""
        return self.unproved and self.outcome != self.Outcome.DELIVERED


class MailDayQuerySet(TenantScopedQuerySet["MailDay"]):
    def outdated(self):
        return self.filter(day__lt=timezone.localdate() - COUNTED_FOR)

    def month(self) -> Month:
        """The last days of what these rows count."""
        rows = self.filter(day__gte=first_day().date()).values("day", "delivered", "spam", "stopped")
        return Month.of(Day(**row) for row in rows)


class MailDay(models.Model):
    """How much mail reached a tenant's mailboxes on one day, and what became of it: numbers alone."""

    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="+")
    day = models.DateField()
    delivered = models.PositiveBigIntegerField(default=0)
    spam = models.PositiveBigIntegerField(default=0)
    stopped = models.PositiveBigIntegerField(default=0)

    objects = MailDayQuerySet.as_manager()

    class Meta:
        verbose_name = _("mail of a day")
        verbose_name_plural = _("mail of days")
        ordering = ["day"]
        constraints = [models.UniqueConstraint(fields=["tenant", "day"], name="filters_mailday_once_a_day")]

    def __str__(self):
        return str(self.day)


def forget_verdicts():
    """Forget what tenants keep no longer; the worker calls this."""
    chosen = SpamPolicy.objects.values_list("verdict_days", flat=True)
    for days in {KEPT_DAYS, *chosen}:
        Verdict.objects.outdated(days).delete()
    MailDay.objects.outdated().delete()
