from typing import TypeVar

from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.addresses import RESERVED_LOCAL_PARTS, display_address, display_domain, normalise_domain
from accounts.models import AuditEvent, Tenant

Row = TypeVar("Row", bound=models.Model)


class TenantScopedQuerySet(models.QuerySet[Row]):
    """Rows with a tenant: the first wall between two tenants is this word."""

    def visible_to(self, viewer):
        """Staff see every tenant's rows, DVB and DSB their own tenant's, a mailbox user none but through `of`."""
        if not viewer.is_authenticated or viewer.role == viewer.Role.USER:
            return self.none()
        if viewer.role == viewer.Role.STAFF:
            return self
        return self.filter(tenant_id=viewer.tenant_id)


class LimitReached(ValidationError):
    """The tenant's contract allows no more of this."""


class DomainQuerySet(TenantScopedQuerySet["Domain"]):
    def open_domain(self, *, tenant, name, by) -> "Domain":
        """A new domain, counted while the tenant's row is locked; raises LimitReached or ValidationError."""
        with transaction.atomic():
            tenant = Tenant.objects.select_for_update().get(pk=tenant.pk)
            if self.model.objects.filter(tenant=tenant).count() >= tenant.max_domains:
                raise LimitReached(
                    _("This customer's contract allows %(limit)s domains, and all are in use."),
                    code="max_domains",
                    params={"limit": tenant.max_domains},
                )
            domain = self.model(tenant=tenant, name=name)
            domain.full_clean()
            domain.save()
            AuditEvent.objects.record(AuditEvent.Deed.CREATED, domain, by=by)
        return domain


class Domain(models.Model):
    """A mail domain of one tenant, stored as A-label."""

    tenant = models.ForeignKey("accounts.Tenant", models.PROTECT, related_name="domains", verbose_name=_("tenant"))
    name = models.CharField(
        _("domain"),
        max_length=253,
        unique=True,
        error_messages={"unique": _("This domain is already in use here. Ask support if it is yours.")},
    )
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)

    objects = DomainQuerySet.as_manager()

    class Meta:
        verbose_name = _("domain")
        verbose_name_plural = _("domains")
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "id"], name="mailboxes_domain_tenant_id"),
            models.CheckConstraint(
                condition=Q(name__regex=r"^[a-z0-9-]+(\.[a-z0-9-]+)+$"),
                name="mailboxes_domain_a_label",
                violation_error_message=_("A domain is stored in its ASCII form, for example xn--mller-kva.de."),
            ),
        ]

    def __str__(self):
        return display_domain(self.name)

    def clean(self):
        self.name = normalise_domain(self.name)


IN_USE = _("This address is already in use. Choose another one.")


class AddressQuerySet(TenantScopedQuerySet["Address"]):
    def revivable(self, domain, local_part, mailbox) -> "Address | None":
        """A retired alias address, brought back for the mailbox that had it: nobody inherits another's mail."""
        retired = self.filter(
            domain=domain,
            local_part=local_part,
            kind=Address.Kind.ALIAS,
            retired_from=mailbox,
            retired_at__isnull=False,
        )
        address = retired.select_for_update().first()
        if address:
            address.retired_at = None
            address.save(update_fields=["retired_at"])
        return address


class Address(models.Model):
    """The only place where an address exists; a retired one stays, so that nobody inherits another's mail."""

    class Kind(models.TextChoices):
        MAILBOX = "mailbox", _("mailbox")
        ALIAS = "alias", _("alias address")

    tenant = models.ForeignKey("accounts.Tenant", models.PROTECT, related_name="+", verbose_name=_("tenant"))
    domain = models.ForeignKey(Domain, models.PROTECT, related_name="addresses", verbose_name=_("domain"))
    local_part = models.CharField(_("local part"), max_length=64)
    address = models.CharField(
        _("e-mail address"),
        max_length=254,
        unique=True,
        error_messages={"unique": IN_USE},
    )
    kind = models.CharField(_("kind"), max_length=8, choices=Kind)
    retired_at = models.DateTimeField(_("retired"), null=True, editable=False)
    # The mailbox that an alias address belonged to: to nobody else does it come back.
    retired_from = models.ForeignKey("mailboxes.Mailbox", models.SET_NULL, null=True, editable=False, related_name="+")

    objects = AddressQuerySet.as_manager()

    class Meta:
        verbose_name = _("address")
        verbose_name_plural = _("addresses")
        ordering = ["address"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "id"], name="mailboxes_address_tenant_id"),
            models.UniqueConstraint(
                fields=["domain", "local_part"],
                name="mailboxes_address_domain_local_part",
                violation_error_message=IN_USE,
            ),
            models.CheckConstraint(
                condition=Q(local_part__regex=r"^[a-z0-9]([._-]?[a-z0-9])*$"),
                name="mailboxes_address_local_part_plain",
                violation_error_message=_("Only a–z, 0–9 and single dots, hyphens or underscores between them."),
            ),
            models.CheckConstraint(
                condition=Q(address__startswith=models.F("local_part")),
                name="mailboxes_address_stored_form",
            ),
        ]
        indexes = [models.Index(fields=["tenant", "address"], name="mailboxes_address_tenant")]

    def __str__(self):
        return display_address(self.address)

    def clean(self):
        if self.local_part in RESERVED_LOCAL_PARTS:
            raise ValidationError(
                _("“%(name)s@” is looked after by support, because certificates and abuse reports depend on it."),
                code="reserved",
                params={"name": self.local_part},
            )

    def retire(self, *, mailbox, by):
        """Take the address out of use for good: it receives nothing and cannot be given to anybody else."""
        with transaction.atomic():
            self.retired_at, self.retired_from = timezone.now(), mailbox
            self.save(update_fields=["retired_at", "retired_from"])
            AuditEvent.objects.record(AuditEvent.Deed.DELETED, self, by=by)
