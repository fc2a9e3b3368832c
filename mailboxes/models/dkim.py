import base64

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from accounts.models import AuditEvent
from accounts.seal import seal
from accounts.tenant_keys import SameTenantKey

from .addresses import Domain, TenantScopedQuerySet

PURPOSE = "dkim"
MOST_PAIRS = 2


@sensitive_variables()
def draw_rsa() -> tuple[str, str]:
    """A new key as PEM, and its public part as RFC 6376 has it in the record."""
    key = rsa.generate_private_key(65537, 2048)
    public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return _pem(key), base64.b64encode(public).decode()


@sensitive_variables()
def draw_ed25519() -> tuple[str, str]:
    """A new key as PEM, and its public part as RFC 8463 has it in the record: 32 bytes without any frame."""
    key = ed25519.Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return _pem(key), base64.b64encode(public).decode()


def _pem(key) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


class DkimKeyQuerySet(TenantScopedQuerySet["DkimKey"]):
    @sensitive_variables()
    def make_pair(self, domain, *, by) -> list["DkimKey"]:
        """A new key of each algorithm beside those in use; raises ValidationError where there is no room for them."""
        drawn = {DkimKey.Algorithm.RSA: draw_rsa(), DkimKey.Algorithm.ED25519: draw_ed25519()}
        day = timezone.localdate()
        with transaction.atomic():
            Domain.objects.select_for_update(no_key=True).get(pk=domain.pk)
            check_room({key.day for key in self.filter(domain=domain)}, day)
            made = []
            for algorithm, (private, public) in drawn.items():
                key = DkimKey(tenant_id=domain.tenant_id, domain=domain, algorithm=algorithm, day=day)
                key.selector, key.public, key.sealed = selector_of(algorithm, day), public, seal(PURPOSE, private)
                key.full_clean()
                key.save()
                AuditEvent.objects.record(AuditEvent.Deed.CREATED, key, by=by)
                made.append(key)
        return made

    def remove_older(self, domain, *, by) -> int:
        """Remove all but the newest pair, once its records are set; gives how many keys."""
        with transaction.atomic():
            Domain.objects.select_for_update(no_key=True).get(pk=domain.pk)
            keys = list(self.filter(domain=domain))
            newest = max((key.day for key in keys), default=None)
            older = [key for key in keys if key.day != newest]
            for key in older:
                AuditEvent.objects.record(AuditEvent.Deed.DELETED, key, by=by)
                key.delete()
        return len(older)


def check_room(days: set, today):
    if today in days:
        raise ValidationError(_("There is a key pair of today already. The next one can be made tomorrow."))
    if len(days) >= MOST_PAIRS:
        raise ValidationError(_("There are two key pairs already. First remove the older one."))


def selector_of(algorithm: str, day) -> str:
    """The name before ._domainkey; its day says how old a key is."""
    return f"ksc{day:%Y%m%d}-{algorithm}"


class DkimKey(models.Model):
    """A key that signs a domain's mail; its private part is sealed, and no page ever shows it."""

    class Algorithm(models.TextChoices):
        RSA = "rsa", "RSA"
        ED25519 = "ed25519", "Ed25519"

    tenant = models.ForeignKey("accounts.Tenant", models.PROTECT, related_name="+", verbose_name=_("tenant"))
    domain = SameTenantKey(Domain, models.CASCADE, related_name="dkim_keys", verbose_name=_("domain"))
    algorithm = models.CharField(_("algorithm"), max_length=8, choices=Algorithm)
    day = models.DateField(_("made on"))
    selector = models.CharField(_("selector"), max_length=63)
    public = models.TextField(_("public key"))
    sealed = models.TextField(editable=False)

    objects = DkimKeyQuerySet.as_manager()

    class Meta:
        verbose_name = _("DKIM key")
        verbose_name_plural = _("DKIM keys")
        ordering = ["-day", "-algorithm"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "id"], name="mailboxes_dkim_key_tenant_id"),
            models.UniqueConstraint(
                fields=["domain", "selector"],
                name="mailboxes_dkim_key_selector",
                violation_error_message=_("There is a key pair of today already. The next one can be made tomorrow."),
            ),
            models.CheckConstraint(
                condition=Q(algorithm__in=["rsa", "ed25519"]), name="mailboxes_dkim_key_known_algorithm"
            ),
            models.CheckConstraint(
                condition=Q(selector__regex=r"^[a-z0-9-]+$"), name="mailboxes_dkim_key_selector_plain"
            ),
        ]

    def __str__(self):
        return self.record_name

    @property
    def record_name(self) -> str:
        return f"{self.selector}._domainkey.{self.domain.name}"

    @property
    def record_value(self) -> str:
        return f"v=DKIM1; k={self.algorithm}; p={self.public}"
