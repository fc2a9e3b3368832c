import hashlib
import secrets
import uuid
from datetime import timedelta

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from accounts.emails import tell
from accounts.models import AuditEvent, OutboxMessage, User
from accounts.names import validate_name
from accounts.tenant_keys import SameTenantKey

from ..networks import NetworkField
from .addresses import LimitReached, TenantScopedQuerySet
from .mailboxes import Mailbox, MailLogin

MOST_LIVE = 20
MOST_NETWORKS = 10
IP_KEPT = timedelta(days=7)

# No 0 o q, 1 i l, 5 s, g, u v, z, and no capitals: easy to type on a phone.
ALPHABET = "abcdefhjkmnprtuwxy" + "2346789"
GROUPS, GROUP_LENGTH = 7, 4


class MadeAlready(Exception):
    """The form was sent a second time; nothing was made now."""


def draw_token() -> str:
    """A random password like `k7wp-…` of 28 characters from 25: 130 bits. The hyphens are part of it."""
    return "-".join("".join(secrets.choice(ALPHABET) for _i in range(GROUP_LENGTH)) for _j in range(GROUPS))


@sensitive_variables()
def hash_of(token: str) -> str:
    """What is stored of a token: SHA-256 in hex of pepper and token, as Dovecot computes it at each login."""
    return hashlib.sha256((settings.APP_PASSWORD_PEPPER + token).encode()).hexdigest()


class AppPasswordQuerySet(TenantScopedQuerySet["AppPassword"]):
    def visible_to(self, viewer):
        """A mailbox user sees their own, whatever mailbox they open; nobody else has to do with them."""
        if not viewer.is_authenticated or viewer.role != User.Role.USER:
            return self.none()
        return self.filter(tenant_id=viewer.tenant_id, holder=viewer)

    def kept(self):
        """All but the revoked ones."""
        return self.filter(revoked_at=None)

    def live(self):
        """Those that open something today."""
        return self.kept().filter(Q(valid_until=None) | Q(valid_until__gte=timezone.localdate()))

    def with_token(self, token):
        return self.filter(token_hash=hash_of(token))

    def forget_networks(self) -> int:
        """Forget from where a password was used, a week after its last use; gives how many."""
        return self.filter(last_used_ip__isnull=False, last_used_at__lt=timezone.now() - IP_KEPT).update(
            last_used_ip=None
        )

    @sensitive_variables("token")
    def open_app_password(
        self, *, mailbox, name, protocols, holder=None, valid_until=None, networks=(), by, public_id=None
    ) -> tuple["AppPassword", str]:
        """A new app password and its token, which is kept nowhere; raises LimitReached or ValidationError.

        `holder` is the member of a mailbox for a purpose; otherwise it is the mailbox's own person.
        `public_id` comes from the form, so that the same form sent again raises MadeAlready.
        """
        token = draw_token()
        with transaction.atomic():
            holder = holder or mailbox.user
            self.check_count(mailbox, holder, public_id)
            row = self.model(tenant_id=mailbox.tenant_id, mailbox=mailbox, holder=holder, name=name)
            row.protocols = protocols
            row.valid_until, row.networks, row.token_hash = valid_until, list(networks), hash_of(token)
            row.public_id = public_id or row.public_id
            row.full_clean()
            row.save()
            AuditEvent.objects.record(AuditEvent.Deed.CREATED, row, by=by, new=row.terms)
            tell(holder, "app_password_added", app_password=row)
        return row, token

    def check_count(self, mailbox, holder, public_id):
        """Whether somebody may have one more; the mailbox is locked, but not for logins, which only refer to it."""
        Mailbox.objects.select_for_update(no_key=True).get(pk=mailbox.pk)
        if public_id and self.model.objects.filter(public_id=public_id).exists():
            raise MadeAlready
        if self.model.objects.filter(mailbox=mailbox, holder=holder).live().count() >= MOST_LIVE:
            raise LimitReached(
                _("You have %(limit)s app passwords, which is the most. Revoke one that you no longer need."),
                code="app_passwords",
                params={"limit": MOST_LIVE},
            )


class AppPassword(models.Model):
    """A password for one of a person's mail programs: only its hash is kept, and it opens no portal."""

    Protocol = MailLogin.Service

    tenant = models.ForeignKey("accounts.Tenant", models.CASCADE, related_name="+")
    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    mailbox = SameTenantKey(
        Mailbox, models.CASCADE, related_name="app_passwords", verbose_name=_("mailbox"), editable=False
    )
    holder = SameTenantKey(
        User, models.CASCADE, related_name="app_passwords", verbose_name=_("person"), editable=False
    )
    name = models.CharField(_("name"), max_length=60, validators=[validate_name])
    protocols = ArrayField(models.CharField(max_length=8, choices=Protocol), verbose_name=_("allowed for"))
    valid_until = models.DateField(_("last day"), null=True, blank=True)
    networks = ArrayField(NetworkField(), verbose_name=_("allowed networks"), default=list, blank=True)
    token_hash = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    revoked_at = models.DateTimeField(_("revoked"), null=True, editable=False)
    # Set by the function that Dovecot calls.
    last_used_at = models.DateTimeField(_("last use"), null=True, editable=False)
    last_used_by = models.CharField(_("last used for"), max_length=8, choices=Protocol, blank=True, editable=False)
    last_used_ip = models.GenericIPAddressField(_("last used from"), null=True, editable=False)

    objects = AppPasswordQuerySet.as_manager()

    class Meta:
        verbose_name = _("app password")
        verbose_name_plural = _("app passwords")
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "id"], name="mailboxes_app_password_tenant_id"),
            models.CheckConstraint(
                condition=Q(protocols__len__gte=1),
                name="mailboxes_app_password_some_protocol",
                violation_error_message=_("Choose at least one thing that the app password is for."),
            ),
            models.CheckConstraint(
                condition=Q(protocols__contained_by=["imap", "pop3", "smtp", "sieve"]),
                name="mailboxes_app_password_known_protocols",
                violation_error_message=_("An app password is for IMAP, POP3, SMTP or ManageSieve."),
            ),
            models.CheckConstraint(
                condition=Q(networks__len__lte=MOST_NETWORKS),
                name="mailboxes_app_password_few_networks",
                violation_error_message=_("At most 10 networks. Leave some out, or write a larger range."),
            ),
            models.CheckConstraint(
                condition=Q(token_hash__regex=r"^[0-9a-f]{64}$"), name="mailboxes_app_password_hash_in_hex"
            ),
        ]

    def __str__(self):
        return self.name

    def clean(self):
        if self.valid_until and self.valid_until < timezone.localdate():
            raise ValidationError({"valid_until": _("This day is over. Choose today or a later one.")}, code="past")

    @property
    def terms(self) -> dict:
        """What the trail keeps; networks only by number, since addresses are not to stay there."""
        until = self.valid_until.isoformat() if self.valid_until else None
        return {"protocols": self.protocols, "valid_until": until, "networks": len(self.networks)}

    @property
    def protocol_labels(self) -> list[str]:
        return [self.Protocol(protocol).label for protocol in self.protocols]

    @property
    def is_over(self) -> bool:
        """Whether the last day has passed."""
        return self.valid_until is not None and self.valid_until < timezone.localdate()

    def revoke(self, *, by):
        """Close it for good and end the mailbox's open sessions; a second time changes nothing."""
        with transaction.atomic():
            if not AppPassword.objects.kept().filter(pk=self.pk).update(revoked_at=timezone.now()):
                return
            AuditEvent.objects.record(AuditEvent.Deed.DELETED, self, by=by, old=self.terms)
            tell(self.holder, "app_password_revoked", app_password=self)
            OutboxMessage.objects.end_mail_sessions([self.mailbox.address.address])


def revoke_all(user):
    """After a forgotten password: who may have got in meanwhile may have made app passwords too."""
    for row in AppPassword.objects.kept().filter(holder=user):
        row.revoke(by=user)
