"""Support sees a person's settings only while the person lets it."""

from datetime import timedelta

from django.db import models, transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ..tenant_keys import SameTenantOne
from .trail import AuditEvent

LONGEST = timedelta(days=7)


class SupportConsentQuerySet(models.QuerySet["SupportConsent"]):
    def visible_to(self, viewer):
        """Staff see those that are open and could be ended by their person now; mailbox users their own."""
        if not viewer.is_authenticated:
            return self.none()
        if viewer.role == viewer.Role.STAFF:
            return self.open().filter(user__locked_at=None, tenant__status="active")
        return self.filter(tenant_id=viewer.tenant_id, user=viewer)

    def open(self):
        """Those whose time is not over: no job ends one, each question does."""
        return self.filter(until__gt=timezone.now())

    def over(self):
        return self.filter(until__lte=timezone.now())

    def give(self, user, *, lasting: timedelta) -> "SupportConsent":
        """Let support see the person's settings from now on for so long, whatever was agreed before."""
        now = timezone.now()
        with transaction.atomic():
            given = {"tenant_id": user.tenant_id, "given_at": now, "until": now + lasting}
            consent, _made = self.update_or_create(user=user, defaults=given)
            new = {"support_until": f"{timezone.localtime(consent.until):%Y-%m-%d %H:%M}"}
            AuditEvent.objects.record(AuditEvent.Deed.SUPPORT_ALLOWED, user, by=user, new=new)
        return consent

    def end(self, user, *, by):
        """From now on support sees nothing of this person; where it sees nothing anyway, nothing is written."""
        with transaction.atomic():
            ended, _rows = self.filter(user=user).open().delete()
            if ended:
                AuditEvent.objects.record(AuditEvent.Deed.SUPPORT_ENDED, user, by=by)


class SupportConsent(models.Model):
    """A person's word that support may look at their settings until a moment; at most one a person."""

    tenant = models.ForeignKey("accounts.Tenant", models.CASCADE, related_name="+", verbose_name=_("tenant"))
    user = SameTenantOne("accounts.User", models.CASCADE, related_name="support_consent", verbose_name=_("person"))
    given_at = models.DateTimeField(_("allowed since"), default=timezone.now, editable=False)
    until = models.DateTimeField(_("allowed until"), editable=False)

    objects = SupportConsentQuerySet.as_manager()

    class Meta:
        verbose_name = _("support access")
        verbose_name_plural = _("support access")
        ordering = ["until", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(until__gt=F("given_at"), until__lte=F("given_at") + LONGEST),
                name="accounts_support_consent_a_week_at_most",
                violation_error_message=_("Support access lasts a week at most."),
            ),
        ]

    def __str__(self):
        return str(self.user)

    def look(self, *, by) -> bool:
        """Put on record that support looks now; False where it has just been ended, by whatever."""
        with transaction.atomic():
            if not SupportConsent.objects.visible_to(by).select_for_update(of=("self",)).filter(pk=self.pk).exists():
                return False
            AuditEvent.objects.record(AuditEvent.Deed.SUPPORT_LOOKED, self.user, by=by)
        return True
