from datetime import timedelta

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

LONGEST_PAUSE = timedelta(hours=1)
# How long a finished message can still be looked at.
KEPT = timedelta(days=7)


class OutboxQuerySet(models.QuerySet["OutboxMessage"]):
    def add(self, kind, *, due=None, **payload) -> "OutboxMessage":
        """Ask for something outside the database, in the transaction that makes it necessary; `due`: not before."""
        return self.create(kind=kind, payload=payload, due=due or timezone.now())

    def end_mail_sessions(self, addresses):
        """Have the open IMAP, POP3 and ManageSieve sessions of these mailboxes ended."""
        kind = OutboxMessage.Kind.END_MAIL_SESSIONS
        self.bulk_create(OutboxMessage(kind=kind, payload={"address": address}) for address in addresses)

    def waiting(self):
        return self.filter(done_at=None)

    def long_done(self):
        return self.filter(done_at__lt=timezone.now() - KEPT)

    def claim_next(self) -> "OutboxMessage | None":
        """The next message that is due, locked for this transaction; other workers skip it."""
        due = self.waiting().filter(due__lte=timezone.now())
        return due.select_for_update(skip_locked=True).order_by("due", "pk").first()


class OutboxMessage(models.Model):
    """Work for the outside world, done by `manage worker` after commit, retried until it succeeds.

    `payload` holds names and ids as JSON, never a secret.
    """

    class Kind(models.TextChoices):
        EMAIL = "email", _("e-mail")
        END_MAIL_SESSIONS = "end_mail_sessions", _("end mail sessions")
        PASSWORD_RESET = "password_reset", _("answer to a forgotten password")
        RECOVERY_ADDRESS = "recovery_address", _("confirmation of a recovery address")
        REMOVE_FACTORS = "remove_factors", _("remove second factors")
        ANNOUNCE_APP_PASSWORDS = "announce_app_passwords", _("tell people that they need app passwords")
        PROVE_DOMAIN = "prove_domain", _("look for the proof of a domain")
        DELETE_MAILBOX = "delete_mailbox", _("delete a mailbox")
        SETTLE_MAIL_PASSWORDS = "settle_mail_passwords", _("end passwords for mail programs")

    kind = models.CharField(max_length=32, choices=Kind)
    payload = models.JSONField(default=dict)
    due = models.DateTimeField(default=timezone.now)
    tries = models.PositiveIntegerField(default=0)
    done_at = models.DateTimeField(null=True)
    last_error = models.CharField(max_length=254, blank=True)

    objects = OutboxQuerySet.as_manager()

    class Meta:
        verbose_name = _("outbox message")
        verbose_name_plural = _("outbox")
        indexes = [
            models.Index(fields=["due", "id"], name="accounts_outbox_waiting", condition=models.Q(done_at=None))
        ]

    def __str__(self):
        return f"{self.kind} #{self.pk}"

    def finish(self):
        self.done_at, self.last_error = timezone.now(), ""
        self.save(update_fields=["done_at", "last_error"])

    def postpone(self, error: Exception):
        """Try again later: after 2, 4, 8 … seconds, at most an hour."""
        self.tries += 1
        self.due = timezone.now() + min(timedelta(seconds=2 ** min(self.tries, 12)), LONGEST_PAUSE)
        self.last_error = (type(error).__name__ + ": " + str(error))[:200].replace("\0", "")
        self.save(update_fields=["tries", "due", "last_error"])
