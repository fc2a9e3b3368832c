"""Notices of absence: what the mail server answers while somebody is away."""

from datetime import date

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models, transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import AuditEvent, Tenant, User
from accounts.tenant_keys import SameTenantOne
from mailboxes.models import Mailbox

from ..emails import absence_ended, absence_set
from ..notices import fixed_notice
from .settled import SettledQuerySet


class AbsenceQuerySet(SettledQuerySet["Absence"]):
    def of(self, mailbox) -> "Absence":
        """A mailbox's notice, or an empty one that is off."""
        row = self.filter(tenant_id=mailbox.tenant_id, mailbox=mailbox).select_related("set_by").first()
        row = row or self.model(tenant_id=mailbox.tenant_id)
        row.mailbox = mailbox
        return row

    def switch_on(self, mailbox, *, starts_on, ends_on, subject, text, every_days, by) -> "Absence":
        """The owner's own notice, also in place of one that the DVB has set; raises ValidationError."""
        with transaction.atomic():
            absence = self._held(mailbox)
            absence.own_subject = absence.own_text = ""
            absence.by_dvb, absence.set_by = False, None
            absence.subject, absence.text, absence.every_days = subject, text, every_days
            absence._switch(True, starts_on, ends_on, by=by)
        return absence

    def stand_in(self, mailbox, *, starts_on, ends_on, write_to, by) -> "Absence":
        """The fixed notice of a DVB, for somebody who cannot set one; the person is told, and their own text is kept.

        Raises ValidationError, also where the person has a notice of their own that is on.
        """
        with transaction.atomic():
            absence = self._held(mailbox)
            if absence.is_coming_or_on and not absence.by_dvb:
                raise ValidationError(
                    _("This person has switched on a notice of their own, which goes before yours."), code="own"
                )
            if not absence.by_dvb:
                absence.own_subject, absence.own_text = absence.subject, absence.text
            absence.by_dvb, absence.set_by, absence.every_days = True, by, FIXED_EVERY_DAYS
            absence.subject, absence.text = fixed_notice(mailbox, starts_on, ends_on, write_to)
            absence._switch(True, starts_on, ends_on, by=by)
            absence_set(absence, by=by)
        return absence

    def switch_off(self, mailbox, *, by):
        """End a notice: the person any, a DVB only what a DVB has set, of which the person is told."""
        with transaction.atomic():
            absence = self._held(mailbox)
            is_owner = by == mailbox.responsible
            if not absence.is_on or not (is_owner or absence.by_dvb):
                return
            for name, value in absence.own.items():
                setattr(absence, name, value)
            absence.own_subject = absence.own_text = ""
            absence.by_dvb, absence.set_by = False, None
            absence._switch(False, None, None, by=by)
            if not is_owner:
                absence_ended(absence, by=by)

    def _held(self, mailbox) -> "Absence":
        Mailbox.objects.select_for_update(no_key=True).get(pk=mailbox.pk)
        return self.of(mailbox)


# Of a notice that a DVB has set.
FIXED_EVERY_DAYS = 7


class Absence(models.Model):
    """One notice a mailbox: kept when it is switched off, so that next time it need not be written again."""

    class State(models.TextChoices):
        OFF = "off", _("switched off")
        COMING = "coming", _("switched on for later")
        ON = "on", _("is sent now")
        OVER = "over", _("over")

    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="+")
    mailbox = SameTenantOne(Mailbox, models.CASCADE, primary_key=True, related_name="absence")
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
    set_by = models.ForeignKey(User, models.SET_NULL, null=True, editable=False, related_name="+")
    # What the person had written, while the DVB's text stands in its place.
    own_subject = models.CharField(max_length=200, blank=True, default="", db_default="", editable=False)
    own_text = models.TextField(blank=True, default="", db_default="", editable=False)

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

    @property
    def state(self) -> State:
        today = timezone.localdate()
        if not self.is_on:
            return self.State.OFF
        if self.ends_on and self.ends_on < today:
            return self.State.OVER
        return self.State.COMING if self.starts_on and self.starts_on > today else self.State.ON

    @property
    def is_coming_or_on(self) -> bool:
        return self.state in (self.State.COMING, self.State.ON)

    @property
    def own(self) -> dict[str, str]:
        """What the person has written themselves."""
        if self.by_dvb:
            return {"subject": self.own_subject, "text": self.own_text}
        return {"subject": self.subject, "text": self.text}

    def _switch(self, on: bool, starts_on: date | None, ends_on: date | None, *, by):
        old = self._told
        self.is_on, self.starts_on, self.ends_on = on, starts_on, ends_on
        if on:
            self.check_terms()
        self.save()
        AuditEvent.objects.record(AuditEvent.Deed.CHANGED, self.mailbox, by=by, old=old, new=self._told)

    def check_terms(self):
        """Whether it can be switched on like this; raises ValidationError."""
        if self.ends_on and self.ends_on < timezone.localdate():
            raise ValidationError({"ends_on": _("This day is over. Choose today or a later one.")})
        self.full_clean(exclude=["tenant", "mailbox"], validate_unique=False)

    @property
    def _told(self) -> dict:
        """What the trail says of it: never the text."""
        days = {"starts_on": str(self.starts_on or ""), "ends_on": str(self.ends_on or "")}
        return {"absence": self.is_on, "by_dvb": self.by_dvb, **days}
