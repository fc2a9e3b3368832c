import hashlib

from django.db import models
from django.utils.translation import gettext_lazy as _


class LogoQuerySet(models.QuerySet["Logo"]):
    def visible_to(self, viewer):
        """Staff see every logo, everybody else their own tenant's."""
        if not viewer.is_authenticated:
            return self.none()
        return self if viewer.role == viewer.Role.STAFF else self.filter(tenant_id=viewer.tenant_id)

    def put(self, tenant, png: bytes | None):
        """Give a tenant this logo, or none; the digest in its address lets browsers keep it for good."""
        if png is None:
            self.filter(tenant=tenant).delete()
        else:
            self.update_or_create(tenant=tenant, defaults={"png": png})
        tenant.logo_digest = hashlib.sha256(png).hexdigest()[:16] if png else ""
        tenant.save(update_fields=["logo_digest"])


class Logo(models.Model):
    """A tenant's logo, apart from the tenant's row, which every request reads."""

    tenant = models.OneToOneField(
        "accounts.Tenant", models.CASCADE, primary_key=True, related_name="logo", verbose_name=_("tenant")
    )
    png = models.BinaryField()

    objects = LogoQuerySet.as_manager()

    class Meta:
        verbose_name = _("logo")
        verbose_name_plural = _("logos")

    def __str__(self):
        return str(self.tenant)
