"""What became of mail: one row for each message and mailbox that it reached, for a month at most."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import Tenant, User
from mailboxes.models import Mailbox
from mailboxes.models.addresses import TenantScopedQuerySet


class VerdictQuerySet(TenantScopedQuerySet["Verdict"]):
    def visible_to(self, viewer):
        """A mailbox user sees those of their own mailbox; nobody else sees single ones, only counts."""
        if not viewer.is_authenticated or viewer.role != User.Role.USER:
            return self.none()
        return self.filter(tenant_id=viewer.tenant_id, mailbox__user=viewer)


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

    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="+")
    mailbox = models.ForeignKey(Mailbox, models.CASCADE, related_name="verdicts")
    at = models.DateTimeField(_("time"))
    sender = models.CharField(_("sender"), max_length=254, blank=True)
    envelope_sender = models.CharField(_("envelope sender"), max_length=254, blank=True)
    subject = models.CharField(_("subject"), max_length=200, blank=True, default="", db_default="")
    score = models.DecimalField(_("score"), max_digits=6, decimal_places=2)
    # Rspamd's names of what weighed most, the weightiest first.
    symbols = ArrayField(models.CharField(max_length=60), size=3, default=list)
    authenticated = models.BooleanField(_("sender proved"), default=False, db_default=False)
    outcome = models.CharField(_("outcome"), max_length=9, choices=Outcome)

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
