from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.addresses import normalise_domain


class ServerAddressQuerySet(models.QuerySet["ServerAddress"]):
    def visible_to(self, viewer):
        """The installation's rows are no secret of a tenant; a tenant's own are its own."""
        if not viewer.is_authenticated:
            return self.none()
        if viewer.role == viewer.Role.STAFF:
            return self
        return self.filter(models.Q(tenant=None) | models.Q(tenant_id=viewer.tenant_id))

    def effective_for(self, viewer) -> list["ServerAddress"]:
        return self.visible_to(viewer).effective_for_tenant(viewer.tenant_id)

    def effective_for_tenant(self, tenant_id) -> list["ServerAddress"]:
        """One row a protocol, in the order of Protocol: the tenant's own before the installation's."""
        rows = self.filter(models.Q(tenant=None) | models.Q(tenant_id=tenant_id))
        chosen = {row.protocol: row for row in rows.order_by(models.F("tenant_id").asc(nulls_first=True))}
        return [chosen[protocol] for protocol in ServerAddress.Protocol.values if protocol in chosen]


class ServerAddress(models.Model):
    """A server that people enter in their mail program; without a tenant it holds for the whole installation."""

    class Protocol(models.TextChoices):
        IMAP = "imap", _("IMAP (incoming mail)")
        POP3 = "pop3", _("POP3 (incoming mail)")
        SUBMISSION = "submission", _("SMTP submission (outgoing mail)")
        SIEVE = "sieve", _("ManageSieve (filter rules)")

    class Encryption(models.TextChoices):
        TLS = "tls", "SSL/TLS"
        STARTTLS = "starttls", "STARTTLS"

    # The one tenant key that may be empty: such a row belongs to nobody and is shown to everybody.
    tenant = models.ForeignKey(
        "accounts.Tenant",
        models.CASCADE,
        null=True,
        blank=True,
        related_name="server_addresses",
        verbose_name=_("only for this tenant"),
    )
    protocol = models.CharField(_("protocol"), max_length=16, choices=Protocol)
    host = models.CharField(_("server"), max_length=253)
    port = models.PositiveIntegerField(_("port"), validators=[MinValueValidator(1), MaxValueValidator(65535)])
    encryption = models.CharField(_("encryption"), max_length=8, choices=Encryption)

    objects = ServerAddressQuerySet.as_manager()

    class Meta:
        verbose_name = _("server address")
        verbose_name_plural = _("server addresses")
        ordering = ["tenant_id", "protocol"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "protocol"],
                nulls_distinct=False,
                name="mailboxes_server_address_protocol",
                violation_error_message=_("There is already an address for this protocol. Change that one."),
            ),
            models.CheckConstraint(
                condition=models.Q(port__gte=1, port__lte=65535),
                name="mailboxes_server_address_port",
                violation_error_message=_("A port is a number from 1 to 65535."),
            ),
        ]

    def __str__(self):
        return f"{self.get_protocol_display()}: {self.host}:{self.port}"

    def clean(self):
        self.host = normalise_domain(self.host) if self.host != "localhost" else self.host
