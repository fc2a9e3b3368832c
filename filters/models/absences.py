"""Notices of absence: what the mail server answers while somebody is away."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from accounts.models import Tenant, User
from mailboxes.models import Mailbox
from mailboxes.models.addresses import TenantScopedQuerySet


class AbsenceQuerySet(TenantScopedQuerySet["Absence"]):
    def visible_to(self, viewer):
        """A mailbox user sees that of their own mailbox."""
        if viewer.is_authenticated and viewer.role == User.Role.USER:
            return self.filter(tenant_id=viewer.tenant_id, mailbox__user=viewer)
        return super().visible_to(viewer)


class Absence(models.Model):
    """One notice a mailbox: kept when it is switched off, so that next time it need not be written again."""

    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="+")
    mailbox = models.OneToOneField(Mailbox, models.CASCADE, primary_key=True, related_name="absence")
    is_on = models.BooleanField(_("switched on"), default=False, db_default=False)
    starts_on = models.DateField(_("first day"), null=True, blank=True)
    ends_on = models.DateField(_("last day"), null=True, blank=True)
    subject = models.CharField(_("subject"), max_length=200, blank=True)
    text = models.TextField(_("text"), max_length=5000)
    every_days = models.PositiveSmallIntegerField(
        _("answer each sender once in (days)"),
        default=7,
        db_default=7,
        validators=[MinValueValidator(1), MaxValueValidator(30)],
    )
    # Set by the DVB with the fixed text, since the person cannot do it themselves.
    by_dvb = models.BooleanField(_("set by the DVB"), default=False, db_default=False, editable=False)

    objects = AbsenceQuerySet.as_manager()

    class Meta:
        verbose_name = _("notice of absence")
        verbose_name_plural = _("notices of absence")
        constraints = [
            models.CheckConstraint(
                condition=Q(starts_on=None) | Q(ends_on=None) | Q(ends_on__gte=F("starts_on")),
                name="filters_absence_days_in_order",
                violation_error_message=_("The last day is before the first one."),
            ),
            models.CheckConstraint(
                condition=Q(every_days__gte=1, every_days__lte=30),
                name="filters_absence_every_days",
                violation_error_message=_("Each sender is answered once in 1 to 30 days."),
            ),
        ]

    def __str__(self):
        return str(self.mailbox)
